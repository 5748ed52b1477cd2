-- One provider's verifications that have not been read, or were read by another version of its
-- reading: that is forgotten. The provider's own `read_verifications.sql` reads the table that this
-- makes.
--
-- reads: raw.verifications
-- makes: staging.verification_readings, unread_verifications

delete from staging.verification_readings
where provider = $provider
    and reading <> $reading
    -- what was erased cannot be read again
    and verification_id not in (select verification_id from raw.verifications where answer = '');

create or replace temp table unread_verifications as
select verification_id as call_id, answer as body
from raw.verifications
where provider = $provider
    and outcome = 'checked'
    and answer is not null
    and verification_id not in (select verification_id from staging.verification_readings);
