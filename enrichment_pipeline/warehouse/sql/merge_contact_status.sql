-- One row for every contact of the source, whatever became of it.

delete from enrichment.contact_status
where contact_id not in (select contact_id from judged_contacts);

merge into enrichment.contact_status as known
using (
    select
        contact_id,
        status,
        freshness,
        freshness_reason,
        priority,
        reason,
        case when freshness not in ('unusable', 'suppressed') then due_at end as next_lookup_at,
        account_id,
        person_key
    from judged_contacts
) as fresh
on known.contact_id = fresh.contact_id
when matched and row(
    known.status, known.freshness, known.freshness_reason, known.priority, known.reason,
    known.next_lookup_at, known.account_id, known.person_key
) is distinct from row(
    fresh.status, fresh.freshness, fresh.freshness_reason, fresh.priority, fresh.reason,
    fresh.next_lookup_at, fresh.account_id, fresh.person_key
) then update set
    status = fresh.status,
    freshness = fresh.freshness,
    freshness_reason = fresh.freshness_reason,
    priority = fresh.priority,
    reason = fresh.reason,
    next_lookup_at = fresh.next_lookup_at,
    account_id = fresh.account_id,
    person_key = fresh.person_key
when not matched then insert (
    contact_id, status, freshness, freshness_reason, priority, reason, next_lookup_at,
    account_id, person_key
) values (
    fresh.contact_id, fresh.status, fresh.freshness, fresh.freshness_reason, fresh.priority,
    fresh.reason, fresh.next_lookup_at, fresh.account_id, fresh.person_key
);
