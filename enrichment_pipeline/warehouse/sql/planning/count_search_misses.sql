-- Of the persons with a single contact, those that a search did not find so short a time ago
-- that they are not searched for again.
--
-- reads: planned_contacts

select count(*)
from planned_contacts
where contact_count = 1
    and last_outcome is distinct from 'no_match'
    and freshness_reason = 'miss_is_recent'
    and list_contains($priorities, priority);
