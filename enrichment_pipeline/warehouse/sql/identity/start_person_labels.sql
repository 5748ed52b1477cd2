-- Contacts that are no known person yet, or whose identity changed: none of their identifiers
-- belongs to the person that they were. Each starts with its own label: the person
-- that one of its identifiers belongs to, else its best identifier. Labels then spread
-- over shared identifiers (spread_person_labels.sql) until contacts of one human agree.
--
-- reads: identities, staging.contact_persons, staging.person_aliases
-- makes: person_labels, person_links, shared_links, staging.person_aliases, unresolved

create or replace temp table unresolved as
select distinct contact_id
from identities
where contact_id not in (
    select assigned.contact_id
    from staging.contact_persons as assigned
    join identities as mine on mine.contact_id = assigned.contact_id
    join staging.person_aliases as owned
        on owned.alias = mine.alias and owned.person_key = assigned.person_key
);

-- who stays who they were owns what they are newly known by, before anybody else can claim it
insert into staging.person_aliases (alias, person_key, origin, added_at)
select mine.alias, min(assigned.person_key), 'source', $loaded_at
from identities as mine
join staging.contact_persons as assigned on assigned.contact_id = mine.contact_id
where mine.kind <> 'name'
    and mine.contact_id not in (select contact_id from unresolved)
    and not exists (
        select 1 from staging.person_aliases as owned where owned.alias = mine.alias
    )
group by mine.alias;

-- a name with a company joins no contact that has a better identifier: namesakes exist
create or replace temp table person_links as
select mine.contact_id, mine.alias, mine.kind_rank
from identities as mine
join unresolved on unresolved.contact_id = mine.contact_id
where mine.kind <> 'name';

create or replace temp table person_labels as
select
    link.contact_id,
    coalesce(
        '0|' || arg_min(owned.person_key, link.kind_rank),
        min(link.kind_rank || '|' || link.alias)
    ) as label
from person_links as link
left join staging.person_aliases as owned on owned.alias = link.alias
group by link.contact_id;

-- over which labels can spread: what several of them bear
create or replace temp table shared_links as
select contact_id, alias
from person_links
where alias in (select alias from person_links group by alias having count(*) > 1);
