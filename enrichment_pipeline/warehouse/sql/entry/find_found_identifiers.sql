-- The profiles that searches have found, as identifiers of persons: others may know whose they are.
--
-- reads: enrichment.search_results
-- makes: found_identifiers

create or replace temp table found_identifiers as
select distinct 'uid' as kind, concat('uid:', uid) as alias
from enrichment.search_results
where verdict = 'resolved';
