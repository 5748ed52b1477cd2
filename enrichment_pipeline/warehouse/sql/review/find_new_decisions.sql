-- Rows of another tool's table of decisions that have not been recorded yet.
--
-- reads: incoming_decisions, raw.review_decisions

select
    row_number, decision_id, contact_id, decision, lookup_id, provider_uid, field, value,
    decided_by, decided_at, note
from incoming_decisions
where decision_id not in (select decision_id from raw.review_decisions)
qualify row_number() over (partition by decision_id order by row_number) = 1
order by row_number;
