-- Contacts of the source without a status, and statuses of contacts that are not in it.

select source.contact_id, 'without_status' as problem
from staging.source_contact_ids as source
where source.contact_id not in (select contact_id from enrichment.contact_status)
union all
select status.contact_id, 'not_in_source' as problem
from enrichment.contact_status as status
where status.contact_id not in (select contact_id from staging.source_contact_ids)
order by problem, contact_id;
