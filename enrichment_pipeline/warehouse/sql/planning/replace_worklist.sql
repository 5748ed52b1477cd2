-- Select the work that is due at $provider in the chosen lanes. Other lanes' rows stay as they
-- are: another run may be reading them. So do those of the others that are asked ($asked).
--
-- reads: due_persons, enrichment.worklist, raw.lookups
-- makes: enrichment.worklist, looked_up_items

-- What was looked up by the run that listed it, for `restore_looked_up.sql`.
create or replace temp table looked_up_items as
with looked_up as (
    select person_key, provider, supersedes
    from raw.lookups
    where state <> 'released'
        and run_id in (
            select run_id
            from enrichment.worklist
            where list_contains($lanes, concat(freshness, '|', priority))
        )
)

select listed.*
from enrichment.worklist as listed
semi join looked_up
    on looked_up.person_key = listed.person_key
    and looked_up.provider = listed.provider
    and looked_up.supersedes = listed.supersedes
where listed.provider = $provider
    and list_contains($lanes, concat(listed.freshness, '|', listed.priority));

delete from enrichment.worklist
where list_contains($lanes, concat(freshness, '|', priority))
    and (provider = $provider or not list_contains($asked, provider));

insert into enrichment.worklist by name
select
    contact_id, person_key, freshness, freshness_reason, priority, priority_score, lookup_identity,
    identity_kind, $provider as provider, last_lookup_id as supersedes, contact_count,
    due_at as waiting_since, $run_id as run_id, search_kind, last_search_id,
    (select coalesce(max(revision), 0) from raw.lookups) as ledger_revision
from due_persons
where list_contains($lanes, concat(freshness, '|', priority));
