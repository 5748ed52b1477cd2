-- Persons whose searches found the same profile of a provider are one: the one that is known by it
-- already, else the one that was found first (`move_persons.sql`). They leave the work list.
--
-- reads: decided_contacts, enrichment.search_results, raw.lookups, raw.searches,
--        staging.contact_persons, staging.person_aliases
-- makes: enrichment.worklist, persons_joined_by_searches

create or replace temp table persons_joined_by_searches as
with
found as (
    select distinct
        result.person_key, result.answered_at,
        uid_alias(search.provider, result.uid) as alias
    from enrichment.search_results as result
    join raw.searches as search on search.search_id = result.search_id
    join staging.contact_persons as assigned on assigned.person_key = result.person_key
    where result.verdict = 'resolved'
        and not exists (
            select 1 from decided_contacts as decided
            where decided.contact_id = assigned.contact_id
                and list_contains(
                    decided.rejected_profiles, profile_at(search.provider, result.uid)
                )
        )
),

targets as (
    select
        found.alias,
        coalesce(
            min(owned.person_key), arg_min(found.person_key, (found.answered_at, found.person_key))
        ) as person_key
    from found
    left join staging.person_aliases as owned on owned.alias = found.alias
    group by found.alias
)

select found.person_key as old_key, min(target.person_key) as new_key
from found
join targets as target on target.alias = found.alias
where found.person_key <> target.person_key
    and found.person_key not in (select person_key from raw.lookups)
group by found.person_key;

delete from enrichment.worklist
where person_key in (select old_key from persons_joined_by_searches);
