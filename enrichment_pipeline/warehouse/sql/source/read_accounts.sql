-- The source's accounts (`shaped_accounts`), typed, and each id once; see read_contacts.sql.
--
-- reads: shaped_accounts
-- makes: incoming_accounts

create or replace temp table incoming_accounts as
with
typed as (
    select
        clean_text(account_id) as account_id,
        real_text(name) as name,
        real_text(domain) as domain,
        lower(real_text(tier)) as tier,
        finite_number(annual_revenue) as annual_revenue,
        finite_number(employee_count) as employee_count,
        finite_number(open_pipeline) as open_pipeline
    from shaped_accounts
)

select
    account_id,
    name,
    domain,
    tier,
    annual_revenue,
    employee_count,
    open_pipeline,
    md5(cast(to_json(row(
        name, domain, tier, annual_revenue, employee_count, open_pipeline
    )) as varchar)) as row_hash
from typed
where account_id is not null
qualify row_number() over (partition by account_id order by row_hash) = 1;
