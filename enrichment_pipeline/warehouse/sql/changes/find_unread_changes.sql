-- One provider's replies that tell of changes, and of which it is not yet read which profiles have
-- become others, or by another version of its reading.
--
-- reads: raw.profile_changes

select distinct reply_id
from raw.profile_changes
where provider = $provider
    and state = 'answered'
    and reply_id is not null
    and reading is distinct from $reading
order by reply_id;
