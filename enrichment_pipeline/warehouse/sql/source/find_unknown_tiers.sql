-- Tiers that the source gives and no band is named after: their accounts go by the score.
--
-- reads: staging.accounts

select tier
from staging.accounts
where left_at is null
    and tier not in ('strategic', 'target', 'standard', 'bulk')
group by tier
order by count(*) desc, tier;
