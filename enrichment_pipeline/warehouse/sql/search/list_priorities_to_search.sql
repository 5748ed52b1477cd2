-- The priorities of these lanes in which anybody has to be searched for.
--
-- reads: enrichment.worklist

select distinct priority
from enrichment.worklist
where search_kind is not null
    and list_contains($lanes, concat(freshness, '|', priority));
