-- Keep what one provider's verifications say: `read_verifications`, by its own SQL file.
--
-- reads: read_verifications
-- makes: staging.verification_readings

insert into staging.verification_readings by name
select
    call_id as verification_id, $provider as provider, $reading as reading, status, rating,
    is_personal
from read_verifications;
