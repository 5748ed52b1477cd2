-- The source's contacts as text, with the columns of the contract and no other: one that is
-- missing is null. `source_rows` holds the user's own query, with the mark by which rows are newer
-- where the load reads by one.
--
-- reads: source_rows
-- makes: shaped_contacts

create or replace temp view shaped_contacts as
with shaped as (
    select
        cast(null as varchar) as contact_id,
        cast(null as varchar) as account_id,
        cast(null as varchar) as first_name,
        cast(null as varchar) as last_name,
        cast(null as varchar) as full_name,
        cast(null as varchar) as email,
        cast(null as varchar) as phone,
        cast(null as varchar) as linkedin_url,
        cast(null as varchar) as company_name,
        cast(null as varchar) as company_domain,
        cast(null as varchar) as job_title,
        cast(null as varchar) as created_at,
        cast(null as varchar) as updated_at,
        null as enrichment_watermark
    where false
    union all by name
    from source_rows
)

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
    created_at,
    updated_at,
    enrichment_watermark
from shaped;
