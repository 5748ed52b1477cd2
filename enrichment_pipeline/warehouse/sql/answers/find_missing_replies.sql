-- One provider's replies of which an answer is not yet in raw.provider_responses.
--
-- reads: raw.lookups, raw.provider_responses

select distinct reply_id
from raw.lookups
where provider = $provider
    and state = 'answered'
    and reply_id is not null
    and lookup_id not in (select lookup_id from raw.provider_responses)
order by reply_id;
