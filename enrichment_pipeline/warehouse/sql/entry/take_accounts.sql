-- The accounts of the contacts that were loaded, as of the last run's snapshot.
--
-- reads: known.staging.accounts, staging.contacts
-- makes: staging.accounts

insert into staging.accounts by name
select *
from known.staging.accounts
where account_id in (select account_id from staging.contacts);
