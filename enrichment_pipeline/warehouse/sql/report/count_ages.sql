-- Contacts by the age of the answer that they show: by the greatest of these days that the
-- answer has reached.
--
-- reads: enrichment.enriched_contacts

with ages as (
    select
        greatest(0, (epoch_us($as_of::timestamptz) - epoch_us(enriched_at)) // 86400000000) as days
    from enrichment.enriched_contacts
    where enriched_at is not null
)

select
    list_max(list_filter($edges::bigint[], lambda edge: edge <= days)) as from_days,
    count(*) as contacts
from ages
group by from_days
order by from_days;
