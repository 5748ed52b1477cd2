-- Host names among the changed contacts that were never met before.
--
-- reads: changed_parts, staging.hosts

select distinct host
from (
    select email_host as host from changed_parts
    union
    select company_host as host from changed_parts
    union
    select account_domain as host from changed_parts
)
where host <> '' and host not in (select host from staging.hosts);
