-- The profiles that searches have found, as identifiers of persons: others may know whose they are.
--
-- reads: enrichment.search_results, raw.searches
-- makes: found_identifiers

create or replace temp table found_identifiers as
select distinct 'uid' as kind, uid_alias(search.provider, result.uid) as alias
from enrichment.search_results as result
join raw.searches as search on search.search_id = result.search_id
where result.verdict = 'resolved';
