-- The decisions on these contacts that hold; `current_decisions` must have been selected.
--
-- reads: current_decisions

select contact_id, decision, lookup_id, provider, provider_uid, field, value
from current_decisions
where contact_id in (select unnest($contact_ids));
