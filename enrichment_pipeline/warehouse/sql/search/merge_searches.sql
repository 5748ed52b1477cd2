-- Take over a page of the ledger's searches (registered as `search_page`).
--
-- reads: search_page
-- makes: raw.searches

merge into raw.searches as known
using search_page as fresh
on known.search_id = fresh.search_id
when matched and known.revision < fresh.revision then update set
    state = fresh.state,
    outcome = fresh.outcome,
    reason = fresh.reason,
    is_complete = fresh.is_complete,
    answered_at = fresh.answered_at,
    revision = fresh.revision
when not matched then insert (
    search_id, provider, query_kind, person_key, supersedes, contact_id, full_name, company,
    freshness, priority, run_id, state, outcome, reason, is_complete, requested_at, answered_at,
    revision
) values (
    fresh.search_id, fresh.provider, fresh.query_kind, fresh.person_key, fresh.supersedes,
    fresh.contact_id, fresh.full_name, fresh.company, fresh.freshness, fresh.priority,
    fresh.run_id, fresh.state, fresh.outcome, fresh.reason, fresh.is_complete, fresh.requested_at,
    fresh.answered_at, fresh.revision
);
