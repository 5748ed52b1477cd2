-- Enriched contacts whose flag says something else than needs_review does.
--
-- reads: enrichment.enriched_contacts, enrichment.needs_review

select count(*)
from enrichment.enriched_contacts as enriched
left join enrichment.needs_review as review on review.contact_id = enriched.contact_id
where enriched.needs_manual_enrichment <> (review.contact_id is not null);
