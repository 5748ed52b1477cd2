-- Releases of which $provider has had nothing to tell within the last day ($reason).
--
-- reads: raw.profile_changes

select distinct release
from raw.profile_changes
where provider = $provider
    and state = 'released'
    and reason = $reason
    -- a daily run may begin a little earlier than the one before
    and requested_at > cast($as_of as timestamptz) - to_hours(20);
