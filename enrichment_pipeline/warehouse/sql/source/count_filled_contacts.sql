-- How many contacts the source gives (`shaped_contacts`), how many different ids they have, how
-- many have none, and how many have each column.
--
-- reads: shaped_contacts

select
    count(*) as contacts,
    count(distinct contact_id) as ids,
    count(*) filter (coalesce(trim(contact_id), '') = '') as nameless,
    count(nullif(trim(contact_id), '')) as contact_id,
    count(nullif(trim(account_id), '')) as account_id,
    count(nullif(trim(first_name), '')) as first_name,
    count(nullif(trim(last_name), '')) as last_name,
    count(nullif(trim(full_name), '')) as full_name,
    count(nullif(trim(email), '')) as email,
    count(nullif(trim(phone), '')) as phone,
    count(nullif(trim(linkedin_url), '')) as linkedin_url,
    count(nullif(trim(company_name), '')) as company_name,
    count(nullif(trim(company_domain), '')) as company_domain,
    count(nullif(trim(job_title), '')) as job_title,
    count(nullif(trim(created_at), '')) as created_at,
    count(nullif(trim(updated_at), '')) as updated_at
from shaped_contacts;
