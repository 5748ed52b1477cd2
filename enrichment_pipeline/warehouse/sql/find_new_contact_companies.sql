-- Company names among the changed contacts that were never met before.

select distinct company_name
from changed_parts
where company_name is not null
    and company_name not in (select company_name from staging.company_names);
