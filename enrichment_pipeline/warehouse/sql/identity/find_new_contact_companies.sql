-- Company names among the changed contacts, their own or their account's, that were never met
-- before.
--
-- reads: changed_parts, staging.company_names

select distinct company_name
from (
    select coalesce(company_name, account_name) as company_name from changed_parts
)
where company_name is not null
    and company_name not in (select company_name from staging.company_names);
