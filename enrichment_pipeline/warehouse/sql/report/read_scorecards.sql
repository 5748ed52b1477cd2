-- What each provider was asked, found and cost.
--
-- reads: enrichment.provider_scorecard

select
    provider,
    cast(sum(asked) as bigint) as asked,
    cast(sum(matched) as bigint) as matched,
    round(sum(matched) / nullif(sum(matched + no_match + refused), 0), 4) as match_rate,
    cast(sum(credits_charged) as bigint) as credits,
    cast(sum(verified_usable) as bigint) as verified_usable,
    cast(sum(cost) as double) as cost
from enrichment.provider_scorecard
group by provider
order by provider;
