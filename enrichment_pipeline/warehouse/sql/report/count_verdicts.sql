-- Answered searches by verdict.
--
-- reads: enrichment.search_results

select verdict, count(*) as searches
from enrichment.search_results
group by verdict
order by searches desc, verdict;
