-- Company names of contacts that an older version has loaded without reading them.

select distinct clean_text(company_name) as company_name
from staging.contacts
where left_at is null
    and clean_text(company_name) is not null
    and clean_text(company_name) not in (select company_name from staging.company_names);
