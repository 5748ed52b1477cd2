-- Bring staging.accounts to what the source has now; see load_contacts.sql.
--
-- reads: incoming_accounts
-- makes: staging.accounts

update staging.accounts
set left_at = $loaded_at
where left_at is null
    and account_id not in (select account_id from incoming_accounts);

-- what has changed goes, and comes again with what is new
delete from staging.accounts as known
using incoming_accounts as incoming
where incoming.account_id = known.account_id
    and (known.row_hash <> incoming.row_hash or known.left_at is not null);

insert into staging.accounts by name
select incoming.*, $loaded_at as loaded_at
from incoming_accounts as incoming
anti join staging.accounts as known on known.account_id = incoming.account_id;
