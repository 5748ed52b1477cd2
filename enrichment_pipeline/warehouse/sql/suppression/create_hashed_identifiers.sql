-- All that each contact and person is known by: identifiers of its own or shared, its
-- companies' domains, and its id.
--
-- reads: staging.contact_parts, staging.contact_persons, staging.person_aliases
-- makes: hashed_identifiers, known_identifiers

create or replace temp view known_identifiers as
with
present as (
    select
        part.contact_id, assigned.person_key, part.email, part.email_domain, part.linkedin_slug,
        part.phone, part.company_domain
    from staging.contact_parts as part
    left join staging.contact_persons as assigned on assigned.contact_id = part.contact_id
),

named as (
    select contact_id, person_key, 'contact' as kind, contact_id as value from present
    union all
    select contact_id, person_key, 'email' as kind, email as value from present
    union all
    select contact_id, person_key, 'linkedin' as kind, linkedin_slug as value from present
    union all
    select contact_id, person_key, 'phone' as kind, phone as value from present
    union all
    select contact_id, person_key, 'domain' as kind, company_domain as value from present
    union all
    select contact_id, person_key, 'domain' as kind, email_domain as value from present
    union all
    select
        null as contact_id, person_key, split_part(alias, ':', 1) as kind,
        substr(alias, strpos(alias, ':') + 1) as value
    from staging.person_aliases
    where split_part(alias, ':', 1) in ('email', 'linkedin', 'phone')
)

select contact_id, person_key, kind, value
from named
where value is not null;

-- The same, hashed as the ledger's suppressed identifiers are.
create or replace temp view hashed_identifiers as
select contact_id, person_key, hashed_identifier(kind, value) as identifier
from known_identifiers;
