-- Company names that answers gave and that were never met before.

select distinct clean_text(value) as company_name
from enrichment.company_facts
where field = 'name'
    and clean_text(value) is not null
    and clean_text(value) not in (select company_name from staging.company_names);
