-- What became of mail, as the source's query gives it (`source_rows`): one row for each address and
-- kind, since deliveries are many. Of bounces the first is the first one since mail was delivered.
--
-- reads: source_rows
-- makes: shaped_bounces

create or replace temp view shaped_bounces as
with told as (
    select
        lower(trim(cast(email as varchar))) as email,
        lower(trim(cast(kind as varchar))) as kind,
        cast(bounced_at as timestamptz) as happened_at
    from source_rows
),

dated as (
    select
        *,
        max(happened_at) filter (kind = 'delivered') over (partition by email) as delivered_at
    from told
)

select
    email,
    kind,
    min(happened_at) filter (
        kind <> 'hard' or coalesce(happened_at > delivered_at, true)
    ) as first_at,
    max(happened_at) as last_at,
    count(*) filter (happened_at is null) as undated
from dated
group by email, kind;
