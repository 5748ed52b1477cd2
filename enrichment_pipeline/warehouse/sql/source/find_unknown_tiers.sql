-- Tiers that the source gives and no band is named after: their accounts go by the score.
--
-- reads: staging.accounts

select tier
from staging.accounts
where left_at is null
    and not list_contains(getvariable('priorities'), tier)
group by tier
order by count(*) desc, tier;
