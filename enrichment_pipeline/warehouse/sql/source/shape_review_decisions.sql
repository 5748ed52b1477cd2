-- Another tool's decisions as text, with the columns that docs/review.md names: one that is missing
-- is null.
--
-- reads: source_rows
-- makes: shaped_decisions

create or replace temp view shaped_decisions as
with shaped as (
    select
        cast(null as varchar) as contact_id,
        cast(null as varchar) as decision,
        cast(null as varchar) as lookup_id,
        cast(null as varchar) as provider_uid,
        cast(null as varchar) as field,
        cast(null as varchar) as value,
        cast(null as varchar) as decided_by,
        cast(null as varchar) as decided_at,
        cast(null as varchar) as note
    where false
    union all by name
    from source_rows
)

select
    contact_id,
    decision,
    lookup_id,
    provider_uid,
    field,
    value,
    decided_by,
    decided_at,
    note
from shaped;
