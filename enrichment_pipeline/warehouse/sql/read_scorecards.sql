-- What each provider was asked, found and cost.

select
    provider, lookups, matched, match_rate, credits_charged, verified_contacts, credits_per_match,
    credits_per_verified_contact
from enrichment.provider_scorecard;
