-- Everybody who is due, in whichever lane; and, found in the same pass, who need not be
-- bought since the answer is known (count_cache_hits.sql).

create or replace temp table planned_contacts as
select
    contact_id, person_key, freshness, freshness_reason, priority, priority_rank, priority_score,
    identity_kind, lookup_identity, last_lookup_id, search_kind, last_search_id, due_at,
    freshness in ('new', 'retry', 'stale') and not is_put_off as is_due,
    contact_count = 1 as is_only_contact
from contact_states
where is_due or not is_only_contact or freshness_reason = 'miss_is_recent';

-- One row per person, carried by its contact of the highest priority. Most persons have one
-- contact: only the others need to be put in order.
create or replace temp view due_persons as
select
    contact_id, person_key, freshness, freshness_reason, priority, priority_score, identity_kind,
    lookup_identity, last_lookup_id, search_kind, last_search_id, due_at, 1 as contact_count
from planned_contacts
where is_due and is_only_contact
union all
select
    contact_id, person_key, freshness, freshness_reason, priority, priority_score, identity_kind,
    lookup_identity, last_lookup_id, search_kind, last_search_id, due_at,
    count(*) over (partition by person_key) as contact_count
from planned_contacts
where is_due and not is_only_contact
qualify row_number() over (
    partition by person_key
    order by priority_rank, priority_score desc, due_at, contact_id
) = 1;
