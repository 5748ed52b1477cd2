-- The source's contacts (`shaped_contacts`), typed, and each id once.
--
-- reads: shaped_contacts
-- makes: incoming_contacts

create or replace temp table incoming_contacts as
with
typed as (
    select
        cast(contact_id as varchar) as contact_id,
        clean_text(account_id) as account_id,
        first_name,
        last_name,
        full_name,
        email,
        phone,
        linkedin_url,
        company_name,
        company_domain,
        job_title,
        try_cast(created_at as timestamptz) as created_at,
        try_cast(updated_at as timestamptz) as updated_at
    from shaped_contacts
),

hashed as (
    select
        *,
        md5(cast(to_json(row(
            account_id, first_name, last_name, full_name, email, phone, linkedin_url,
            company_name, company_domain, job_title, created_at, updated_at
        )) as varchar)) as row_hash
    from typed
)

-- where an id repeats, the latest row wins; the hash makes the choice repeatable
select *, count(*) over (partition by contact_id) as source_rows
from hashed
qualify row_number() over (
    partition by contact_id
    order by updated_at desc nulls last, created_at desc nulls last, row_hash
) = 1;
