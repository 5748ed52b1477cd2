-- Contacts by freshness and priority.
--
-- reads: enrichment.contact_status

select freshness, priority, count(*) as contacts
from enrichment.contact_status
group by freshness, priority
order by freshness, priority;
