-- How the source's contacts stand now, in two numbers: any row that is added, changed or
-- removed changes them, whether or not the source dates its rows. Only the columns of the
-- contract count: another one that changes all day changes nothing here. A sum, since
-- equal rows would cancel each other out in an exclusive or.
--
-- reads: shaped_contacts

select
    count(*) as contacts,
    coalesce(sum(hash(row(
        contact_id, account_id, first_name, last_name, full_name, email, phone, linkedin_url,
        company_name, company_domain, job_title, created_at, updated_at
    ))), 0) as row_hashes
from shaped_contacts;
