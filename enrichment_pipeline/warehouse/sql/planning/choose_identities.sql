-- By what each person is asked for at a provider: by its best identifier, as it stands, or, where
-- $chooses, by the best that the provider takes ($identities) of its own and of those that accepted
-- answers gave. A name with a company comes last: the fuller form of the name, and the company's
-- domain, whether the source or an accepted answer gives it; else the company's name.
--
-- reads: all_identities, staging.contact_identities, staging.contact_parts,
--        staging.contact_persons, staging.contacts, staging.judgements, staging.person_aliases,
--        staging.shared_identifiers
-- makes: asked_identities, identifiers_taken, names_taken

set variable chooses_identities = $chooses;

create or replace temp table identifiers_taken as
with owned as (
    select
        person_key,
        alias,
        split_part(alias, ':', 1) as kind,
        substr(alias, strpos(alias, ':') + 1) as value,
        origin = 'answer' as is_told
    from staging.person_aliases
    where $chooses
        and list_contains($identities, split_part(alias, ':', 1))
        and alias not in (select alias from staging.shared_identifiers)
),

borne as (
    select distinct alias from all_identities where $chooses
)

select
    person_key,
    arg_min(kind, (list_position(['linkedin', 'email', 'phone'], kind), is_told, value))
        as identity_kind,
    arg_min(value, (list_position(['linkedin', 'email', 'phone'], kind), is_told, value)) as value
from owned
where kind in ('linkedin', 'email', 'phone')
    and (is_told or alias in (select alias from borne))
group by person_key;

create or replace temp table names_taken as
with told as (
    select
        contact_id,
        arg_max(full_name, (answered_at, lookup_id)) as full_name,
        arg_max(company_domain, (answered_at, lookup_id)) as company_domain
    from staging.judgements
    where judgement = 'matched'
    group by contact_id
),

written as (
    select
        assigned.person_key,
        contact.contact_id,
        written_name(contact.full_name, contact.first_name, contact.last_name) as our_name,
        told.full_name as their_name,
        coalesce(part.company_domain, told.company_domain) as domain,
        coalesce(real_text(contact.company_name), part.account_name) as company_name
    from staging.contacts as contact
    join staging.contact_persons as assigned on assigned.contact_id = contact.contact_id
    join staging.contact_parts as part on part.contact_id = contact.contact_id
    left join told on told.contact_id = contact.contact_id
    where $chooses
        and list_contains($identities, 'name')
        and contact.left_at is null
        and assigned.person_key not in (select person_key from identifiers_taken)
),

spoken as (
    select
        person_key,
        contact_id,
        spoken_name(
            case
                when our_name is null or is_shorter_name(name_key(our_name), name_key(their_name))
                    then their_name
                else our_name
            end
        ) as full_name,
        domain,
        company_name
    from written
)

select
    person_key,
    arg_min(
        concat(full_name, ' @ ', coalesce(domain, company_name)), (domain is null, contact_id)
    ) as value
from spoken
where contains(full_name, ' ')
    and coalesce(domain, company_name) is not null
group by person_key;

create or replace temp view asked_identities as
select
    contact.* replace (
        case
            when not getvariable('chooses_identities') then contact.identity_kind
            when named.value is not null then 'name'
            else taken.identity_kind
        end as identity_kind,
        case
            when not getvariable('chooses_identities') then contact.lookup_identity
            when named.value is not null then named.value
            when taken.identity_kind = 'linkedin'
                then 'https://www.linkedin.com/in/' || url_encode(taken.value)
            else taken.value
        end as lookup_identity
    )
from staging.contact_identities as contact
left join identifiers_taken as taken on taken.person_key = contact.person_key
left join names_taken as named on named.person_key = contact.person_key;
