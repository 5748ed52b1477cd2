-- Company names of accounts, facts and found profiles that were never met before.

with named as (
    select name as company_name from staging.accounts where left_at is null
    union
    select value as company_name from enrichment.company_facts where field = 'name'
    union
    select company as company_name from found_jobs
)

select distinct clean_text(company_name) as company_name
from named
where clean_text(company_name) is not null
    and clean_text(company_name) not in (select company_name from staging.company_names);
