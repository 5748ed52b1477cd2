-- Bring staging.accounts to what the source has now; see load_contacts.sql.
--
-- reads: incoming_accounts
-- makes: staging.accounts

update staging.accounts
set left_at = $loaded_at
where left_at is null
    and account_id not in (select account_id from incoming_accounts);

merge into staging.accounts as known
using incoming_accounts as incoming
on known.account_id = incoming.account_id
when matched and (known.row_hash <> incoming.row_hash or known.left_at is not null) then update set
    name = incoming.name,
    domain = incoming.domain,
    tier = incoming.tier,
    annual_revenue = incoming.annual_revenue,
    employee_count = incoming.employee_count,
    open_pipeline = incoming.open_pipeline,
    row_hash = incoming.row_hash,
    loaded_at = $loaded_at,
    left_at = null
when not matched then insert (
    account_id, name, domain, tier, annual_revenue, employee_count, open_pipeline, row_hash,
    loaded_at, left_at
) values (
    incoming.account_id, incoming.name, incoming.domain, incoming.tier, incoming.annual_revenue,
    incoming.employee_count, incoming.open_pipeline, incoming.row_hash, $loaded_at, null
);
