-- For a warehouse of an older version: bring the parts of contacts to what newer rules make of
-- them, and have the look-ups of everybody summed up anew. Contacts that left have no parts any
-- more; newer loads see to that by themselves.
--
-- reads: staging.company_names, staging.contacts
-- makes: staging.contact_parts, staging.person_lookups

delete from staging.contact_parts
where contact_id in (select contact_id from staging.contacts where left_at is not null);

update staging.contact_parts as part
set company_key = company.company_key
from staging.contacts as contact
join staging.company_names as company on company.company_name = real_text(contact.company_name)
where contact.contact_id = part.contact_id
    and part.company_key is distinct from company.company_key;

-- what older rules took for a profile or an e-mail is read anew by the next load
update staging.contact_parts as part
set row_hash = null
from staging.contacts as contact
where contact.contact_id = part.contact_id
    and (
        contains(contact.linkedin_url, '%')
        or length(contact.linkedin_url) > 200
        or length(contact.email) > 254
    );

update staging.contact_parts
set name_company = coalesce(company_domain, company_key)
where name_company is null;

delete from staging.person_lookups;
