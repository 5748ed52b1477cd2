-- Contacts after a load: present, new or changed by it, gone by it.

select
    count(*) filter (left_at is null) as present,
    count(*) filter (left_at is null and loaded_at = $loaded_at) as changed,
    count(*) filter (left_at = $loaded_at) as gone
from staging.contacts;
