-- Look-ups and credits of each day since a first one, of all providers.
--
-- reads: enrichment.spend_by_day

select
    day,
    cast(sum(lookups) as bigint) as lookups,
    cast(sum(credits_charged) as bigint) as credits_charged
from enrichment.spend_by_day
where day >= $first_day
group by day
order by day;
