-- Contacts for review by reason and priority, the largest reason first.
--
-- reads: enrichment.needs_review

select
    reason,
    count(*) filter (priority = 'strategic') as strategic,
    count(*) filter (priority = 'target') as target,
    count(*) filter (priority = 'standard') as standard,
    count(*) filter (priority = 'bulk') as bulk,
    count(*) as contacts
from enrichment.needs_review
group by reason
order by contacts desc, reason;
