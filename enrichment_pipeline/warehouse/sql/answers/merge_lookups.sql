-- Take over a page of the ledger's look-ups (registered as `ledger_page`).
--
-- reads: ledger_page
-- makes: raw.lookups

delete from raw.lookups as known
using ledger_page as fresh
where fresh.lookup_id = known.lookup_id and fresh.revision > known.revision;

insert into raw.lookups by name
select fresh.*
from ledger_page as fresh
anti join raw.lookups as known on known.lookup_id = fresh.lookup_id;
