-- The providers that are asked, in their order ($asked), those that verify addresses ($verifiers),
-- and those that look-ups were made at before. $prices are what a credit costs at each of $priced.
--
-- reads: raw.lookups
-- makes: enrichment.providers

delete from enrichment.providers;

insert into enrichment.providers by name
with known as (
    select unnest($asked::varchar[]) as provider
    union
    select unnest($verifiers::varchar[]) as provider
    union
    select distinct provider from raw.lookups
)

select
    provider,
    list_position($asked::varchar[], provider) as place,
    coalesce(map($priced::varchar[], $prices::decimal(18, 6)[])[provider], 1) as price
from known
order by place, provider;
