-- The account of a contact ($account_id); no row where the source does not have it.
--
-- reads: staging.accounts

select
    account_id, name, domain, tier, annual_revenue, employee_count, open_pipeline,
    list_contains(getvariable('priorities'), tier) as has_known_tier
from staging.accounts
where account_id = $account_id and left_at is null;
