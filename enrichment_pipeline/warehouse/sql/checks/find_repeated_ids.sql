-- Ids that stand in the source more than once.
--
-- reads: staging.source_contact_ids

select contact_id, source_rows
from staging.source_contact_ids
where source_rows > 1
order by contact_id;
