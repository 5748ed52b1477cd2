-- Contacts for review by reason, most first.
--
-- reads: enrichment.needs_review

select reason, count(*) as contacts
from enrichment.needs_review
group by reason
order by contacts desc, reason;
