-- Whether the last run knew of any address that was checked, or any person that was stopped.
--
-- reads: known.raw.verifications, known.staging.checked_addresses

select
    exists (select 1 from known.staging.checked_addresses)
    or exists (select 1 from known.raw.verifications) as is_any;
