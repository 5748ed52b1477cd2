-- Contacts by status.

select status, count(*) as contacts
from enrichment.contact_status
group by status
order by status;
