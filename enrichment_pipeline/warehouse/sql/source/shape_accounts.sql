-- The source's accounts as text, with the columns of the contract; see shape_contacts.sql.
--
-- reads: source_rows
-- makes: shaped_accounts

create or replace temp view shaped_accounts as
with shaped as (
    select
        cast(null as varchar) as account_id,
        cast(null as varchar) as name,
        cast(null as varchar) as domain,
        cast(null as varchar) as tier,
        cast(null as varchar) as annual_revenue,
        cast(null as varchar) as employee_count,
        cast(null as varchar) as open_pipeline
    where false
    union all by name
    from source_rows
)

select
    account_id,
    name,
    domain,
    tier,
    annual_revenue,
    employee_count,
    open_pipeline
from shaped;
