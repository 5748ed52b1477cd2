-- Take over, by the last run, which of the addresses of these answers have been checked.
--
-- reads: known.staging.checked_addresses, staging.judgements
-- makes: staging.checked_addresses

insert into staging.checked_addresses by name
select *
from known.staging.checked_addresses
where email in (
    select point.value from (select unnest(points) as point from staging.judgements)
);
