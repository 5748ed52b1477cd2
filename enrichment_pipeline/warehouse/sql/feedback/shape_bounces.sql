-- What became of mail, as the source's query gives it (`source_rows`): one row for each address and
-- kind, since deliveries are many.
--
-- reads: source_rows
-- makes: shaped_bounces

create or replace temp view shaped_bounces as
select
    cast(email as varchar) as email,
    lower(trim(cast(kind as varchar))) as kind,
    min(cast(bounced_at as timestamptz)) as first_at,
    max(cast(bounced_at as timestamptz)) as last_at
from source_rows
group by all;
