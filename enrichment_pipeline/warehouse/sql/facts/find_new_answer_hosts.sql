-- Host names in the new answers that were never met before.
--
-- reads: new_positions, staging.hosts

select distinct company_host as host
from new_positions
where company_host is not null and company_host not in (select host from staging.hosts);
