-- What reviewers decided on a contact, the latest first.
--
-- reads: raw.review_decisions

select
    decision, provider_uid, provider, field, value, decided_by, decided_at, note, source,
    person_key = $person_key as holds_for_this_person
from raw.review_decisions
where contact_id = $contact_id
order by decided_at desc, field;
