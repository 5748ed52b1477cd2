-- What falls due in each week, and what it will cost.
--
-- reads: enrichment.refresh_debt

select week_starts_on, lookups, expected_cost, cast(worst_case_cost as double) as worst_case_cost
from enrichment.refresh_debt;
