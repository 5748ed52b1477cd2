-- Select the due work of the chosen lanes: one row per person, carried by its contact of
-- the highest priority. Other lanes' rows stay as they are: another run may be reading them.

delete from enrichment.worklist
where list_contains($lanes, concat(freshness, '|', priority));

insert into enrichment.worklist (
    contact_id, person_key, freshness, priority, priority_score, lookup_identity, identity_kind,
    supersedes, contact_count, waiting_since, run_id
)
select
    contact_id, person_key, freshness, priority, priority_score, lookup_identity, identity_kind,
    last_lookup_id, contact_count, due_at, $run_id
from due_persons
where list_contains($lanes, concat(freshness, '|', priority));
