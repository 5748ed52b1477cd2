-- Everything that is known here of some verifications (registered as `wanted_verifications`), with
-- their answers: see `read_known_lookups.sql`. What a refusal says is not kept here.
--
-- reads: raw.verifications, wanted_verifications

select
    verification_id as call_id,
    'verification' as kind,
    'address' as question,
    provider,
    address_key as person_key,
    supersedes,
    contact_id,
    email as item,
    'email' as item_kind,
    freshness,
    priority,
    run_id,
    state,
    outcome,
    reason,
    case when answer is not null then reply_id end as reply_id,
    0 as answer_index,
    coalesce(credits_charged, 0) as credits_charged,
    requested_at,
    answered_at,
    state = 'answered' and (answer is not null or outcome <> 'checked') as has_answer,
    answer
from raw.verifications
where verification_id in (select verification_id from wanted_verifications)
order by provider, reply_id, run_id, verification_id;
