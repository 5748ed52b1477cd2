-- Take back what became of the overruled answers, so that they are read again as new ones.

create or replace temp table overruled_aliases as
select distinct fact_alias(fact.field, fact.value) as alias, fact.person_key
from enrichment.person_facts as fact
join overruled_answers as overruled
    on overruled.contact_id = fact.contact_id and overruled.lookup_id = fact.lookup_id
where fact_alias(fact.field, fact.value) is not null;

delete from enrichment.person_facts as fact
where exists (
    select 1 from overruled_answers as overruled
    where overruled.contact_id = fact.contact_id and overruled.lookup_id = fact.lookup_id
);

-- somebody else's profile names our person no more, unless another answer does too
delete from staging.person_aliases as known
where known.origin = 'answer'
    and exists (
        select 1 from overruled_aliases as overruled
        where overruled.alias = known.alias and overruled.person_key = known.person_key
    )
    and not exists (
        select 1 from enrichment.person_facts as fact
        where fact.person_key = known.person_key
            and fact_alias(fact.field, fact.value) = known.alias
    );

create or replace temp table moved_aliases as
select alias, person_key as old_key, cast(null as varchar) as new_key from overruled_aliases;
