-- Where a contact stands, and why: its status, what a reviewer is to look at, and the answer that
-- it shows.
--
-- reads: enrichment.contact_status, enrichment.enriched_contacts, enrichment.needs_review

select
    standing.status, standing.freshness, standing.freshness_reason, standing.priority,
    standing.reason, standing.next_lookup_at,
    review.detail as review_detail, review.first_flagged_at, review.attempts,
    shown.provider, shown.provider_uid, shown.lookup_id, shown.run_id, shown.enriched_at,
    shown.expires_at, shown.agreed_by, shown.employer_disputed_by
from enrichment.contact_status as standing
left join enrichment.needs_review as review on review.contact_id = standing.contact_id
left join enrichment.enriched_contacts as shown on shown.contact_id = standing.contact_id
where standing.contact_id = $contact_id;
