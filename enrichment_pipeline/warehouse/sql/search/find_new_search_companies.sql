-- Company names of accounts and found profiles that were never met before.
--
-- reads: found_jobs, staging.accounts, staging.company_names

with named as (
    select name as company_name from staging.accounts where left_at is null
    union
    select company as company_name from found_jobs
)

select company_name
from named
where company_name is not null
    and company_name not in (select company_name from staging.company_names);
