-- What falls due in each week, and what it will cost.
--
-- reads: enrichment.refresh_debt

select week_starts_on, lookups, expected_credits, worst_case_credits
from enrichment.refresh_debt;
