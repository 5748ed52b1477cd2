-- Take over a page of the ledger's look-ups (registered as `ledger_page`).
--
-- reads: ledger_page
-- makes: raw.lookups

merge into raw.lookups as known
using ledger_page as fresh
on known.lookup_id = fresh.lookup_id
when matched and known.revision < fresh.revision then update set
    state = fresh.state,
    outcome = fresh.outcome,
    reason = fresh.reason,
    reply_id = fresh.reply_id,
    answer_index = fresh.answer_index,
    credits_charged = fresh.credits_charged,
    answered_at = fresh.answered_at,
    revision = fresh.revision
when not matched then insert (
    lookup_id, provider, person_key, supersedes, contact_id, item, item_kind, freshness, priority,
    run_id, state, outcome, reason, reply_id, answer_index, credits_charged, requested_at,
    answered_at, revision
) values (
    fresh.lookup_id, fresh.provider, fresh.person_key, fresh.supersedes, fresh.contact_id,
    fresh.item, fresh.item_kind, fresh.freshness, fresh.priority, fresh.run_id, fresh.state,
    fresh.outcome, fresh.reason, fresh.reply_id, fresh.answer_index, fresh.credits_charged,
    fresh.requested_at, fresh.answered_at, fresh.revision
);
