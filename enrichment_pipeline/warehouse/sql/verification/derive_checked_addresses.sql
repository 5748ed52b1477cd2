-- The last word on each address: what its last verification says that said anything definite, but
-- for those of runs that were undone. It holds for $verified_days.
--
-- reads: raw.undone_runs, raw.verifications, staging.verification_readings
-- makes: staging.checked_addresses

delete from staging.checked_addresses;

insert into staging.checked_addresses by name
select
    verification.email,
    told.status,
    told.is_personal,
    told.rating,
    verification.provider,
    verification.answered_at as checked_at,
    verification.answered_at + to_days($verified_days) as holds_until
from raw.verifications as verification
join staging.verification_readings as told
    on told.verification_id = verification.verification_id and told.status is not null
where verification.run_id not in (select run_id from raw.undone_runs)
qualify row_number() over (
    partition by verification.email
    order by verification.answered_at desc, verification.verification_id
) = 1;
