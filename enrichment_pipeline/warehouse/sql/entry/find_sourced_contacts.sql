-- The contacts of the source, as of the last run's snapshot, that have one of these ids ($ids): of
-- an entry with such an id, the source's row counts.
--
-- reads: known.staging.contacts, known.staging.entered_contacts

select
    contact_id,
    account_id,
    first_name,
    last_name,
    full_name,
    email,
    phone,
    linkedin_url,
    company_name,
    company_domain,
    job_title,
    cast(created_at as varchar) as created_at,
    cast(updated_at as varchar) as updated_at
from known.staging.contacts
where list_contains($ids, contact_id)
    and left_at is null
    and contact_id not in (
        select contact_id from known.staging.entered_contacts where not is_in_source
    );
