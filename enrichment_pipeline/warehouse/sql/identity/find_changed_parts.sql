-- Contacts whose identifying parts have to be read (again), cleaned as far as SQL can: new and
-- changed ones, and those that take another name or domain of their account now.
--
-- reads: all_identities, staging.accounts, staging.contact_parts, staging.contacts,
--        staging.contacts_left_dirty
-- makes: changed_parts, dirty_contacts, former_identifiers, gone_contacts,
--        staging.contacts_left_dirty

create or replace temp table changed_parts as
with sourced as (
    select
        contact.*,
        case when real_text(contact.company_name) is null then account.name end as account_name,
        case when real_text(contact.company_domain) is null then lower(account.domain) end
            as account_domain
    from staging.contacts as contact
    left join staging.accounts as account
        on account.account_id = contact.account_id and account.left_at is null
    where contact.left_at is null
)

select
    contact.contact_id,
    contact.row_hash,
    written_name(contact.full_name, contact.first_name, contact.last_name) as name,
    linkedin_slug(contact.linkedin_url) as linkedin_slug,
    email_address(contact.email) as email,
    split_part(email_address(contact.email), '@', 2) as email_host,
    lower(real_text(contact.company_domain)) as company_host,
    real_text(contact.company_name) as company_name,
    contact.account_domain,
    contact.account_name,
    real_text(contact.phone) as phone_text,
    coalesce(
        real_text(contact.linkedin_url), real_text(contact.email), real_text(contact.phone)
    ) is not null as has_any_identifier
from sourced as contact
left join staging.contact_parts as known on known.contact_id = contact.contact_id
where known.row_hash is distinct from contact.row_hash
    or known.phone_region_default is distinct from $phone_region
    or known.account_name is distinct from contact.account_name
    or known.account_domain is distinct from contact.account_domain;

create or replace temp table gone_contacts as
select part.contact_id
from staging.contact_parts as part
where not exists (
    select 1
    from staging.contacts as contact
    where contact.contact_id = part.contact_id and contact.left_at is null
);

-- Contacts whose identity may change by this load: those that are read anew, those that left, and
-- those of which answers or searches have told more.
create or replace temp table dirty_contacts as
select contact_id from changed_parts
union
select contact_id from gone_contacts
union
select contact_id from staging.contacts_left_dirty;

delete from staging.contacts_left_dirty;

-- by what they were known so far
create or replace temp table former_identifiers as
select kind, alias
from all_identities
where contact_id in (select contact_id from dirty_contacts);
