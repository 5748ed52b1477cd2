-- Look-ups of each day since a first one, of all providers, and what they cost.
--
-- reads: enrichment.spend_by_day

select
    day,
    cast(sum(lookups) as bigint) as lookups,
    cast(sum(cost) as double) as cost
from enrichment.spend_by_day
where day >= $first_day
group by day
order by day;
