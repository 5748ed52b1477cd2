-- Host names of accounts and found profiles that were never met before.
--
-- reads: found_jobs, staging.accounts, staging.hosts

with named as (
    select domain as host from staging.accounts where left_at is null
    union
    select website as host from found_jobs
)

select distinct lower(clean_text(host)) as host
from named
where clean_text(host) is not null
    and lower(clean_text(host)) not in (select host from staging.hosts);
