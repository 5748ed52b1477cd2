-- Ids that stand in the source more than once.

select contact_id, source_rows
from staging.source_contact_ids
where source_rows > 1
order by contact_id;
