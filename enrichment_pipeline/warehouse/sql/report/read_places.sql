-- What each provider brought and cost at each place in the chain.
--
-- reads: enrichment.provider_scorecard

select
    provider,
    place,
    cast(sum(asked) as bigint) as asked,
    cast(sum(matched) as bigint) as matched,
    cast(sum(accepted) as bigint) as accepted,
    cast(sum(verified_usable) as bigint) as verified_usable,
    cast(sum(added) as bigint) as added,
    cast(sum(bounced) as bigint) as bounced,
    cast(sum(cost) as double) as cost
from enrichment.provider_scorecard
group by provider, place
order by place, provider;
