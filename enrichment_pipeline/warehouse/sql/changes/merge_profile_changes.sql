-- Take over a page of the ledger's questions about changes (registered as `changes_page`).
--
-- reads: changes_page
-- makes: raw.profile_changes

delete from raw.profile_changes as known
using changes_page as fresh
where fresh.change_id = known.change_id and fresh.revision > known.revision;

insert into raw.profile_changes by name
select fresh.*
from changes_page as fresh
anti join raw.profile_changes as known on known.change_id = fresh.change_id;
