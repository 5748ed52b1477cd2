-- Contacts after a load: present, gone by it.
--
-- reads: staging.contacts

select
    count(*) filter (left_at is null) as present,
    count(*) filter (left_at = $loaded_at) as gone
from staging.contacts;
