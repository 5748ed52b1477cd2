-- Keep which profiles have become others, as a provider's own SQL file has read it off raw replies
-- (registered as `unread_changes`).
--
-- reads: read_changes, unread_changes
-- makes: raw.profile_changes

update raw.profile_changes
set
    moved_to = null,
    reading = $reading
where reply_id in (select reply_id from unread_changes);

update raw.profile_changes as told
set moved_to = moved.moved_to
from read_changes as moved
where moved.reply_id = told.reply_id and moved.uid = told.uid;
