-- Company names in the new answers that were never met before.
--
-- reads: new_positions, staging.company_names

select distinct company_name
from new_positions
where company_name is not null
    and company_name not in (select company_name from staging.company_names);
