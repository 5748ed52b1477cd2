-- Company names that an older version has loaded or read without normalising them.
--
-- reads: enrichment.person_facts, staging.company_names, staging.contacts

with named as (
    select real_text(company_name) as company_name from staging.contacts where left_at is null
    union
    select value as company_name from enrichment.person_facts where field = 'company_name'
)

select company_name
from named
where company_name is not null
    and company_name not in (select company_name from staging.company_names);
