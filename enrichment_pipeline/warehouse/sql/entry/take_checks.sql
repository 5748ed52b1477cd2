-- Take over, by the last run, which of the addresses of these contacts have been checked: of their
-- answers, of reviewers, and their own.
--
-- reads: known.staging.checked_addresses, raw.review_decisions, staging.contact_parts,
--        staging.judgements
-- makes: staging.checked_addresses

insert into staging.checked_addresses by name
select *
from known.staging.checked_addresses
where email in (
    select point.value from (select unnest(points) as point from staging.judgements)
    union
    select email from staging.contact_parts
    union
    select value from raw.review_decisions where value is not null
);
