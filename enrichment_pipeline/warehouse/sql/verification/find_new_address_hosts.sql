-- Mail hosts in the addresses of accepted answers that were never met before.
--
-- reads: staging.hosts, staging.judgements

select distinct host
from (
    select split_part(point.value, '@', 2) as host
    from (
        select unnest(points) as point from staging.judgements where judgement = 'matched'
    )
    where ends_with(point.field, 'email')
)
where host not in (select host from staging.hosts);
