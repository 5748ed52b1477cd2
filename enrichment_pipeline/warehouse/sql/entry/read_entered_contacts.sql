-- What applications entered (registered as `entry_page`), typed as the source's contacts are.
--
-- reads: entry_page
-- makes: entered_rows

create or replace temp table entered_rows as
with parsed as (
    select contact_id, version, person_key, contact, cast(contact as json) as given
    from entry_page
)

select
    contact_id,
    version,
    person_key,
    clean_text(given ->> 'account_id') as account_id,
    given ->> 'first_name' as first_name,
    given ->> 'last_name' as last_name,
    given ->> 'full_name' as full_name,
    given ->> 'email' as email,
    given ->> 'phone' as phone,
    given ->> 'linkedin_url' as linkedin_url,
    given ->> 'company_name' as company_name,
    given ->> 'company_domain' as company_domain,
    given ->> 'job_title' as job_title,
    try_cast(given ->> 'created_at' as timestamptz) as created_at,
    try_cast(given ->> 'updated_at' as timestamptz) as updated_at,
    md5(contact) as row_hash
from parsed;
