-- Review rows that have waited for a reviewer since before an instant, the most important first;
-- not those whose profile a reviewer has rejected.
--
-- reads: enrichment.needs_review

select contact_id, reason, priority, first_flagged_at
from enrichment.needs_review
where first_flagged_at <= $flagged_before and reason <> 'rejected_by_reviewer'
order by
    priority_rank(priority),
    first_flagged_at,
    contact_id;
