-- Select the due work of the chosen lanes. Other lanes' rows stay as they are: another run
-- may be reading them.

delete from enrichment.worklist
where list_contains($lanes_with_work, concat(freshness, '|', priority));

-- A lane in which nothing is due keeps what was looked up last, so that a run with nothing
-- to do changes no row; but nobody who left, is due in another lane, or was not looked up.
create or replace temp table kept_items as
select listed.contact_id, listed.person_key, listed.supersedes
from enrichment.worklist as listed
where list_contains($lanes, concat(listed.freshness, '|', listed.priority))
    and exists (
        select 1
        from raw.lookups as lookup
        where lookup.person_key = listed.person_key
            and lookup.supersedes = listed.supersedes
            and lookup.state <> 'released'
    )
    and exists (
        select 1
        from staging.contact_identities as contact
        where contact.contact_id = listed.contact_id
    )
    and not exists (
        select 1
        from planned_contacts as due
        where due.is_due and due.person_key = listed.person_key
    );

delete from enrichment.worklist as listed
where list_contains($lanes, concat(listed.freshness, '|', listed.priority))
    and not exists (
        select 1
        from kept_items as kept
        where kept.contact_id = listed.contact_id
            and kept.person_key = listed.person_key
            and kept.supersedes = listed.supersedes
    );

insert into enrichment.worklist (
    contact_id, person_key, freshness, freshness_reason, priority, priority_score, lookup_identity,
    identity_kind, supersedes, contact_count, waiting_since, run_id, search_kind, last_search_id
)
select
    contact_id, person_key, freshness, freshness_reason, priority, priority_score, lookup_identity,
    identity_kind, last_lookup_id, contact_count, due_at, $run_id, search_kind, last_search_id
from due_persons
where list_contains($lanes_with_work, concat(freshness, '|', priority));
