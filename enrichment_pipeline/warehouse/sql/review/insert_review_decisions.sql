-- Add decisions (registered as `decision_page`) to the log.
--
-- reads: decision_page
-- makes: raw.review_decisions

insert into raw.review_decisions (
    decision_id, contact_id, person_key, decision, lookup_id, provider_uid, field, value,
    decided_by, decided_at, note, source, recorded_at
)
select
    decision_id, contact_id, person_key, decision, lookup_id, provider_uid, field, value,
    decided_by, decided_at, note, source, recorded_at
from decision_page;
