-- Select the due work of the chosen lanes: one row per person, carried by its contact of
-- the highest priority. Other lanes' rows stay as they are: another run may be reading them.
-- A lane in which nothing is due keeps what was looked up last: a run with nothing to do
-- changes no row.

delete from enrichment.worklist as listed
where list_contains($lanes, concat(listed.freshness, '|', listed.priority))
    and (
        not exists (
            select 1 from raw.lookups as lookup
            where lookup.person_key = listed.person_key
                and lookup.supersedes = listed.supersedes
                and lookup.state <> 'released'
        )
        or listed.contact_id not in (select contact_id from staging.contacts where left_at is null)
        or exists (
            select 1 from due_persons as due
            where (due.freshness = listed.freshness and due.priority = listed.priority)
                or due.person_key = listed.person_key
        )
    );

insert into enrichment.worklist (
    contact_id, person_key, freshness, freshness_reason, priority, priority_score, lookup_identity,
    identity_kind, supersedes, contact_count, waiting_since, run_id, search_kind, last_search_id
)
select
    contact_id, person_key, freshness, freshness_reason, priority, priority_score, lookup_identity,
    identity_kind, last_lookup_id, contact_count, due_at, $run_id, search_kind, last_search_id
from due_persons
where list_contains($lanes, concat(freshness, '|', priority));
