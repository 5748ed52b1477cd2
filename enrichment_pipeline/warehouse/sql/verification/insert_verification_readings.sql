-- Keep what one provider's verifications say: `read_verifications`, by its own SQL file. An answer
-- about another address than was asked about says nothing.
--
-- reads: raw.verifications, read_verifications
-- makes: staging.verification_readings

insert into staging.verification_readings by name
select
    told.call_id as verification_id,
    $provider as provider,
    $reading as reading,
    case when email_address(told.email) = verification.email then told.status end as status,
    told.rating,
    told.is_personal
from read_verifications as told
join raw.verifications as verification on verification.verification_id = told.call_id;
