-- The providers that are asked now, or have been, and what a credit costs there.
--
-- reads: enrichment.providers

select provider, place, cast(price as double) as price
from enrichment.providers
order by place, provider;
