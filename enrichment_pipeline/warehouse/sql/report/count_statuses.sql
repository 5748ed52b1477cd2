-- Contacts by status, and how many of them show an answer.
--
-- reads: enrichment.contact_status, enrichment.enriched_contacts

select state.status, count(*) as contacts, count(shown.contact_id) as with_answer
from enrichment.contact_status as state
left join enrichment.enriched_contacts as shown on shown.contact_id = state.contact_id
group by state.status
order by state.status;
