-- Turn labels into person keys, and remember every identifier as its person's.
--
-- reads: identities, name_bearers, person_labels, staging.contact_persons, staging.person_aliases,
--        unresolved
-- makes: resolved_persons, staging.contact_persons, staging.person_aliases

create or replace temp table resolved_persons as
with
by_identifier as (
    select
        contact_id,
        case
            when starts_with(label, '0|') then substr(label, 3)
            else left(sha256(substr(label, 3)), 32)
        end as person_key
    from person_labels
),

everybody as (
    select contact_id, person_key from by_identifier
    union all
    select contact_id, person_key
    from staging.contact_persons
    where contact_id not in (select contact_id from unresolved)
),

-- a name with a company is a known person where exactly one has it
known_names as (
    select bearer.alias, min(everybody.person_key) as person_key
    from name_bearers as bearer
    join everybody on everybody.contact_id = bearer.contact_id
    group by bearer.alias
    having count(distinct everybody.person_key) = 1
),

by_name as (
    select
        mine.contact_id,
        coalesce(known.person_key, owned.person_key, left(sha256(mine.alias), 32)) as person_key
    from identities as mine
    join unresolved on unresolved.contact_id = mine.contact_id
    left join known_names as known on known.alias = mine.alias
    left join staging.person_aliases as owned on owned.alias = mine.alias
    where mine.kind = 'name'
        and mine.contact_id not in (select contact_id from person_labels)
)

select contact_id, person_key from by_identifier
union all
select contact_id, person_key from by_name;

merge into staging.contact_persons as known
using resolved_persons as fresh
on known.contact_id = fresh.contact_id
when matched and known.person_key <> fresh.person_key then update set
    person_key = fresh.person_key, assigned_at = $loaded_at, has_changed = true
when not matched then insert (contact_id, person_key, assigned_at, has_changed)
    values (fresh.contact_id, fresh.person_key, $loaded_at, false);

-- an identifier belongs to the first person that it was met with
insert into staging.person_aliases (alias, person_key, origin, added_at)
select mine.alias, min(assigned.person_key), 'source', $loaded_at
from identities as mine
join staging.contact_persons as assigned on assigned.contact_id = mine.contact_id
where mine.kind <> 'name'
    and not exists (select 1 from staging.person_aliases as owned where owned.alias = mine.alias)
group by mine.alias
union all
select bearer.alias, min(assigned.person_key), 'source', $loaded_at
from name_bearers as bearer
join staging.contact_persons as assigned on assigned.contact_id = bearer.contact_id
where not exists (select 1 from staging.person_aliases as owned where owned.alias = bearer.alias)
group by bearer.alias
-- namesakes at one company: there the name identifies none of them
having count(distinct assigned.person_key) = 1;
