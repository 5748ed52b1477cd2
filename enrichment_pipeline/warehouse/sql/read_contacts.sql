-- The source's contacts with the columns of the contract: a column that is missing is
-- null, one that is not known is ignored. `source_rows` holds the user's own query.

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
    from (
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
            cast(null as varchar) as updated_at
        where false
        union all by name
        from source_rows
    )
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
