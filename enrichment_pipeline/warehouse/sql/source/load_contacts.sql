-- Bring staging.contacts to what the source has now: changed and new rows by their
-- hash, removed ids by anti-join (a watermark would see neither late rows nor deletions).
--
-- reads: incoming_contacts
-- makes: staging.contacts, staging.source_contact_ids

update staging.contacts
set left_at = $loaded_at
where left_at is null
    and contact_id not in (select contact_id from incoming_contacts);

delete from staging.source_contact_ids;

insert into staging.source_contact_ids (contact_id, source_rows)
select contact_id, source_rows from incoming_contacts;

merge into staging.contacts as known
using incoming_contacts as incoming
on known.contact_id = incoming.contact_id
when matched and (known.row_hash <> incoming.row_hash or known.left_at is not null) then update set
    account_id = incoming.account_id,
    first_name = incoming.first_name,
    last_name = incoming.last_name,
    full_name = incoming.full_name,
    email = incoming.email,
    phone = incoming.phone,
    linkedin_url = incoming.linkedin_url,
    company_name = incoming.company_name,
    company_domain = incoming.company_domain,
    job_title = incoming.job_title,
    created_at = incoming.created_at,
    updated_at = incoming.updated_at,
    row_hash = incoming.row_hash,
    loaded_at = $loaded_at,
    left_at = null
when not matched then insert (
    contact_id, account_id, first_name, last_name, full_name, email, phone, linkedin_url,
    company_name, company_domain, job_title, created_at, updated_at, row_hash, loaded_at, left_at
) values (
    incoming.contact_id, incoming.account_id, incoming.first_name, incoming.last_name,
    incoming.full_name, incoming.email, incoming.phone, incoming.linkedin_url,
    incoming.company_name, incoming.company_domain, incoming.job_title, incoming.created_at,
    incoming.updated_at, incoming.row_hash, $loaded_at, null
);
