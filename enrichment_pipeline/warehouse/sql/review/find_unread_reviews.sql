-- Review rows that have waited for somebody since before an instant, the most important first;
-- not those whose profile a reviewer has rejected.
--
-- reads: enrichment.needs_review

select contact_id, reason, priority, first_flagged_at
from enrichment.needs_review
where first_flagged_at <= $flagged_before and reason <> 'rejected_by_reviewer'
order by
    case priority when 'strategic' then 0 when 'target' then 1 when 'standard' then 2 else 3 end,
    first_flagged_at,
    contact_id;
