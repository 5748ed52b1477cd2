-- Another tool's decisions (`shaped_decisions`), numbered. The digest of a row is its id: a row
-- that is still there is the same decision.
--
-- reads: shaped_decisions
-- makes: incoming_decisions

create or replace temp table incoming_decisions as
select
    contact_id, decision, lookup_id, provider_uid, field, value, decided_by, decided_at, note,
    md5(cast(to_json(row(
        contact_id, decision, lookup_id, provider_uid, field, value, decided_by, decided_at, note
    )) as varchar)) as decision_id,
    row_number() over () as row_number
from shaped_decisions;
