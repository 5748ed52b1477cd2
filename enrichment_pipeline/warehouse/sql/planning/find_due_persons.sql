-- Everybody who is due, in whichever lane, one row per person. Most persons have one contact and
-- are read off as they stand, when they are asked for; the others have to be put in order.
--
-- reads: contact_states
-- makes: due_persons, shared_contacts

create or replace temp table shared_contacts as
select
    contact_id, person_key, freshness, freshness_reason, priority, priority_rank, priority_score,
    identity_kind, lookup_identity, last_lookup_id, search_kind, last_search_id, due_at, is_due
from contact_states
where contact_count <> 1;

create or replace temp view due_persons as
select
    contact_id, person_key, freshness, freshness_reason, priority, priority_score, identity_kind,
    lookup_identity, last_lookup_id, search_kind, last_search_id, due_at, 1 as contact_count
from contact_states
where is_due and contact_count = 1
union all
-- a person is carried by its contact of the highest priority
select
    contact_id, person_key, freshness, freshness_reason, priority, priority_score, identity_kind,
    lookup_identity, last_lookup_id, search_kind, last_search_id, due_at,
    count(*) over (partition by person_key) as contact_count
from shared_contacts
where is_due
qualify row_number() over (
    partition by person_key
    order by priority_rank, priority_score desc, due_at, contact_id
) = 1;
