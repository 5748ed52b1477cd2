-- Write the normalised parts of the changed contacts; who left has none.
--
-- reads: all_identities, changed_domains, changed_parts, dirty_contacts, former_identifiers,
--        gone_contacts, phone_regions, staging.company_names, staging.hosts, staging.phones
-- makes: dirty_identifiers, staging.contact_parts

delete from staging.contact_parts
where contact_id in (
    select contact_id from gone_contacts
    union all
    select contact_id from changed_parts
);

insert into staging.contact_parts by name
select
    part.contact_id,
    part.row_hash,
    $phone_region as phone_region_default,
    coalesce(name_key(part.name), '') as name_key,
    part.linkedin_slug,
    part.email,
    mail.registrable_domain as email_domain,
    domains.company_domain,
    company.company_key,
    phone.e164 as phone,
    part.phone_text,
    part.has_any_identifier,
    part.account_name,
    part.account_domain,
    -- a contact's own stays its identity when its account gets a domain
    coalesce(
        domains.own_domain,
        case when part.company_name is not null then nullif(company.company_key, '') end,
        domains.company_domain,
        company.company_key
    ) as name_company
from changed_parts as part
join changed_domains as domains on domains.contact_id = part.contact_id
left join staging.hosts as mail on mail.host = part.email_host
left join staging.company_names as company
    on company.company_name = coalesce(part.company_name, part.account_name)
left join phone_regions as region
    on region.phone_text = part.phone_text
    and region.company_domain is not distinct from domains.company_domain
left join staging.phones as phone
    on phone.phone_text = part.phone_text and phone.region = region.region;

-- by what they were known, and by what they are known from now on
create or replace temp table dirty_identifiers as
select kind, alias from former_identifiers
union all
select kind, alias
from all_identities
where contact_id in (select contact_id from dirty_contacts);
