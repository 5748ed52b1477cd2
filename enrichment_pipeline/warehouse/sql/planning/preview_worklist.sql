-- The first rows of what a run has selected in each lane; nothing personal is among them.
--
-- reads: enrichment.worklist

select contact_id, freshness, priority, identity_kind, contact_count
from enrichment.worklist
where run_id = $run_id
qualify row_number() over (partition by freshness, priority order by contact_id) <= $preview_rows
order by freshness, priority, contact_id;
