-- What these priorities would cost more, in look-ups, if nothing were known: contacts who
-- share their person's answer or look-up with another contact, and persons whom the provider
-- did not know so short a time ago that it is not asked again.

select
    (
        count(*) filter (has_a_lookup) - count(distinct person_key) filter (has_a_lookup)
    ) as person,
    count(distinct person_key) filter (freshness_reason = 'miss_is_recent') as miss
from (
    select
        person_key,
        freshness_reason,
        -- the only contact of its person shares with nobody
        not is_only_contact and (
            freshness in ('new', 'retry', 'stale', 'in_flight')
            or freshness_reason = 'answer_is_recent'
        ) as has_a_lookup
    from planned_contacts
    where list_contains($priorities, priority)
);
