-- The values that reviewers gave instead, as facts: nothing that a provider says takes over
-- from them, only the next value that a reviewer gives.
--
-- reads: raw.review_decisions
-- makes: enrichment.person_facts

merge into enrichment.person_facts as known
using (
    select
        decision_id, contact_id, person_key, field, value, decided_at,
        lead(decided_at) over (
            partition by contact_id, person_key, field
            order by decided_at, recorded_at, decision_id desc
        ) as valid_to
    from raw.review_decisions
    where decision = 'replace'
) as fresh
on known.provider = 'human' and known.lookup_id = fresh.decision_id
when matched and known.valid_to is distinct from fresh.valid_to then update set
    valid_to = fresh.valid_to
when not matched then insert (
    contact_id, person_key, field, value, position, provider, confidence, status, observed_at,
    lookup_id, run_id, valid_from, valid_to
) values (
    fresh.contact_id, fresh.person_key, fresh.field, fresh.value, 1, 'human', 'human',
    case when ends_with(fresh.field, '_email') or ends_with(fresh.field, '_phone')
        then 'verified'
    end,
    fresh.decided_at, fresh.decision_id, null, fresh.decided_at, fresh.valid_to
);
