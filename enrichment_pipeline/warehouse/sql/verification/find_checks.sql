-- Whether any address was verified or has bounced, or was taken to have.
--
-- reads: raw.verifications, staging.address_feedback, staging.checked_addresses

select
    exists (select 1 from raw.verifications)
    or exists (select 1 from staging.address_feedback where bounced_at is not null)
    or exists (select 1 from staging.checked_addresses) as is_any;
