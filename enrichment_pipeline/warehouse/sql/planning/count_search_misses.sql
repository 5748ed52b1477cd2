-- Of the persons with a single contact, those that a search did not find so short a time ago
-- that they are not searched for again.
--
-- reads: contact_states

select count(*)
from contact_states
where contact_count = 1
    and last_outcome is distinct from 'no_match'
    and freshness_reason = 'miss_is_recent'
    and list_contains($priorities, priority);
