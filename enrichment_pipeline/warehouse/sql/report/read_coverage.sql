-- How far each priority is enriched, the most important first.
--
-- reads: enrichment.coverage_by_priority

select
    priority, contacts, enriched, needs_review, waiting, suppressed, with_verified_email,
    with_verified_phone, with_answer
from enrichment.coverage_by_priority;
