-- Write the normalised parts of the changed contacts; who left has none.
--
-- reads: all_identities, changed_domains, changed_parts, gone_contacts, phone_regions,
--        staging.company_names, staging.hosts, staging.phones, stirred_contacts
-- makes: staging.contact_parts, stirred_identities

delete from staging.contact_parts
where contact_id in (select contact_id from gone_contacts);

merge into staging.contact_parts as known
using (
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
        on phone.phone_text = part.phone_text and phone.region = region.region
) as fresh
on known.contact_id = fresh.contact_id
when matched then update set
    row_hash = fresh.row_hash,
    phone_region_default = fresh.phone_region_default,
    name_key = fresh.name_key,
    linkedin_slug = fresh.linkedin_slug,
    email = fresh.email,
    email_domain = fresh.email_domain,
    company_domain = fresh.company_domain,
    company_key = fresh.company_key,
    phone = fresh.phone,
    phone_text = fresh.phone_text,
    has_any_identifier = fresh.has_any_identifier,
    account_name = fresh.account_name,
    account_domain = fresh.account_domain,
    name_company = fresh.name_company
when not matched then insert (
    contact_id, row_hash, phone_region_default, name_key, linkedin_slug, email, email_domain,
    company_domain, company_key, phone, phone_text, has_any_identifier, account_name,
    account_domain, name_company
) values (
    fresh.contact_id, fresh.row_hash, fresh.phone_region_default, fresh.name_key,
    fresh.linkedin_slug, fresh.email, fresh.email_domain, fresh.company_domain, fresh.company_key,
    fresh.phone, fresh.phone_text, fresh.has_any_identifier, fresh.account_name,
    fresh.account_domain, fresh.name_company
);

-- by what they are known from now on
insert into stirred_identities (kind, alias)
select kind, alias
from all_identities
where contact_id in (select contact_id from stirred_contacts);
