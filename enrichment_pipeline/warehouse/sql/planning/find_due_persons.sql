-- Everybody who is due, in whichever lane, one row per person, and the contacts of which cache hits
-- are counted. These rows are kept: where a contact stands takes several joins to work out, and
-- each of the questions would work it out anew. Most persons have one contact and are read off as
-- they stand; the others have to be put in order.
--
-- reads: contact_states
-- makes: due_persons, planned_contacts

create or replace temp table planned_contacts as
select
    contact_id, person_key, freshness, freshness_reason, priority, priority_rank, priority_score,
    identity_kind, lookup_identity, last_lookup_id, last_outcome, search_kind, last_search_id,
    due_at, is_due, contact_count
from contact_states
where is_due or contact_count <> 1 or freshness_reason = 'miss_is_recent';

create or replace temp view due_persons as
select
    contact_id, person_key, freshness, freshness_reason, priority, priority_score, identity_kind,
    lookup_identity, last_lookup_id, search_kind, last_search_id, due_at, 1 as contact_count
from planned_contacts
where is_due and contact_count = 1
union all
-- a person is carried by its contact of the highest priority
select
    contact_id, person_key, freshness, freshness_reason, priority, priority_score, identity_kind,
    lookup_identity, last_lookup_id, search_kind, last_search_id, due_at,
    count(*) over (partition by person_key) as contact_count
from planned_contacts
where is_due and contact_count <> 1
qualify row_number() over (
    partition by person_key
    order by priority_rank, priority_score desc, due_at, contact_id
) = 1;
