-- An identifier that only withdrawn answers gave is its person's no more.

create or replace temp table moved_aliases as
select known.alias, known.person_key as old_key, cast(null as varchar) as new_key
from staging.person_aliases as known
where known.origin = 'answer'
    and not exists (
        select 1
        from enrichment.person_facts as fact
        where fact.person_key = known.person_key
            and fact_alias(fact.field, fact.value) = known.alias
    );

delete from staging.person_aliases as known
where exists (
    select 1
    from moved_aliases as moved
    where moved.alias = known.alias and moved.old_key = known.person_key
);
