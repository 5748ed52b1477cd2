-- What a run would look up, by lane.

select
    freshness,
    priority,
    cast(sum(contact_count) as bigint) as contacts,
    count(*) as lookups,
    count(search_kind) as searches
from due_persons
where list_contains($lanes, concat(freshness, '|', priority))
group by freshness, priority;
