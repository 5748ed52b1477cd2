-- Bring staging.contact_identities up to date for `contacts_to_refresh`, and for every contact
-- that is or was one person with them.
--
-- reads: all_identities, contacts_to_refresh, staging.contact_identities, staging.contact_parts,
--        staging.contact_persons, staging.contacts, staging.person_aliases,
--        staging.shared_identifiers
-- makes: person_identities, refreshed_contacts, refreshed_persons, staging.contact_identities

create or replace temp table refreshed_persons as
select person_key
from staging.contact_persons
where contact_id in (select contact_id from contacts_to_refresh)
union
select person_key
from staging.contact_identities
where person_key is not null
    and contact_id in (select contact_id from contacts_to_refresh);

-- By what each of these persons would be asked for: the best identifier that is its own.
create or replace temp table person_identities as
with
members as (
    select assigned.person_key, part.contact_id
    from staging.contact_persons as assigned
    join staging.contact_parts as part on part.contact_id = assigned.contact_id
    where assigned.person_key in (select person_key from refreshed_persons)
),

own_identities as (
    select members.person_key, mine.kind, mine.kind_rank, mine.value
    from all_identities as mine
    join members on members.contact_id = mine.contact_id
    join staging.person_aliases as owned
        on owned.alias = mine.alias and owned.person_key = members.person_key
    where mine.kind <> 'name'
        and mine.alias not in (select alias from staging.shared_identifiers)
),

best_identities as (
    select
        person_key,
        arg_min(kind, (kind_rank, value)) as kind,
        arg_min(value, (kind_rank, value)) as value
    from own_identities
    group by person_key
),

counted as (
    select person_key, count(*) as contact_count from members group by person_key
),

named as (
    select distinct members.person_key
    from members
    join all_identities as mine on mine.contact_id = members.contact_id and mine.kind = 'name'
),

-- what answered once stays the identity of later refreshes, at the provider whose id it is
answered as (
    select
        person_key,
        provider_in_alias(alias) as provider,
        arg_max(uid_in_alias(alias), (added_at, alias)) as uid
    from staging.person_aliases
    where is_uid_alias(alias)
        and person_key in (select person_key from refreshed_persons)
    group by person_key, provider_in_alias(alias)
),

answered_uids as (
    select person_key, map_from_entries(list((provider, uid) order by provider)) as provider_uids
    from answered
    group by person_key
)

select
    counted.person_key,
    counted.contact_count,
    best.kind as identity_kind,
    case best.kind
        when 'linkedin' then 'https://www.linkedin.com/in/' || url_encode(best.value)
        else best.value
    end as lookup_identity,
    named.person_key is not null as is_named,
    answered.provider_uids
from counted
left join best_identities as best on best.person_key = counted.person_key
left join named on named.person_key = counted.person_key
left join answered_uids as answered on answered.person_key = counted.person_key;

-- those that left are among them, and stay away
create or replace temp table refreshed_contacts as
select contact_id, person_key
from staging.contact_persons
where contact_id in (select contact_id from contacts_to_refresh)
    or person_key in (select person_key from refreshed_persons)
union
select contact_id, person_key
from staging.contact_identities
where contact_id in (select contact_id from contacts_to_refresh)
union
select contact_id, null as person_key
from contacts_to_refresh
where contact_id not in (select contact_id from staging.contact_persons);

delete from staging.contact_identities
where contact_id in (select contact_id from refreshed_contacts);

insert into staging.contact_identities by name
select
    contact.contact_id, contact.account_id, assigned.person_key, assigned.assigned_at,
    assigned.has_changed, person.contact_count, person.identity_kind, person.lookup_identity,
    person.is_named, person.provider_uids
from staging.contacts as contact
left join staging.contact_persons as assigned on assigned.contact_id = contact.contact_id
left join person_identities as person on person.person_key = assigned.person_key
where contact.left_at is null
    and contact.contact_id in (select contact_id from refreshed_contacts);
