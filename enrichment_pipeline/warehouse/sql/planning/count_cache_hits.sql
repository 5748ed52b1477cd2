-- What these priorities would cost more, in look-ups, if nothing were known: contacts who
-- share their person's answer or look-up with another contact, and persons that the provider
-- did not know so short a time ago that it is not asked again.
--
-- reads: planned_contacts

with sharing as (
    select
        count(*) filter (has_a_lookup) - count(distinct person_key) filter (has_a_lookup) as person,
        count(distinct person_key) filter (freshness_reason = 'miss_is_recent') as miss
    from (
        select
            person_key,
            freshness_reason,
            freshness in ('new', 'retry', 'stale', 'in_flight')
            or freshness_reason = 'answer_is_recent' as has_a_lookup
        from planned_contacts
        where contact_count <> 1
            and list_contains($priorities, priority)
    )
),

-- those that a search did not find are counted apart (`count_search_misses.sql`)
single as (
    select count(*) as miss
    from planned_contacts
    where contact_count = 1
        and last_outcome = 'no_match'
        and freshness_reason = 'miss_is_recent'
        and list_contains($priorities, priority)
)

select sharing.person, sharing.miss + single.miss as miss
from sharing, single;
