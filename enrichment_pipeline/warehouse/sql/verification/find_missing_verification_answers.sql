-- Replies that tell of an address, where these are not yet in raw.verifications.
--
-- reads: raw.verifications

select reply_id
from raw.verifications
where outcome = 'checked' and answer is null and reply_id is not null
order by reply_id;
