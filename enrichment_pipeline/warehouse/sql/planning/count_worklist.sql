-- What was selected at $provider, by lane.
--
-- reads: enrichment.worklist

select
    freshness,
    priority,
    cast(sum(contact_count) as bigint) as contacts,
    count(*) as lookups,
    count(search_kind) as searches
from enrichment.worklist
where provider = $provider
    and list_contains($lanes, concat(freshness, '|', priority))
group by freshness, priority;
