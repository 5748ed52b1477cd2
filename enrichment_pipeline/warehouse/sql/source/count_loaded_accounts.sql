-- Accounts after a load: present, gone by it.
--
-- reads: staging.accounts

select
    count(*) filter (left_at is null) as present,
    count(*) filter (left_at = $loaded_at) as gone
from staging.accounts;
