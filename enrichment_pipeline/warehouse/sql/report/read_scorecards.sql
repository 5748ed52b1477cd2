-- What each provider was asked, found and cost.
--
-- reads: enrichment.provider_scorecard

select
    provider, lookups, matched, match_rate, credits_charged, with_verified_email,
    credits_per_match, credits_per_verified_email
from enrichment.provider_scorecard;
