-- Take over a page of the ledger's searches (registered as `search_page`).
--
-- reads: search_page
-- makes: raw.searches

delete from raw.searches as known
using search_page as fresh
where fresh.search_id = known.search_id and fresh.revision > known.revision;

insert into raw.searches by name
select fresh.*
from search_page as fresh
anti join raw.searches as known on known.search_id = fresh.search_id;
