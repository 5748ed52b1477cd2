-- Everything that is known here of some look-ups (registered as `wanted_lookups`), with their
-- answers. An answer is lost where its look-up was copied, and then the reply was not.
--
-- reads: raw.lookups, raw.provider_responses, wanted_lookups

select
    lookup.lookup_id as call_id,
    'lookup' as kind,
    'person' as question,
    lookup.provider,
    lookup.person_key,
    lookup.supersedes,
    lookup.contact_id,
    lookup.item,
    lookup.item_kind,
    lookup.freshness,
    lookup.priority,
    lookup.run_id,
    lookup.state,
    lookup.outcome,
    lookup.reason,
    lookup.reply_id,
    lookup.answer_index,
    coalesce(lookup.credits_charged, 0) as credits_charged,
    lookup.requested_at,
    lookup.answered_at,
    lookup.state = 'answered' and (response.lookup_id is not null or lookup.reply_id is null)
        as has_answer,
    cast(response.answer as varchar) as answer
from raw.lookups as lookup
left join raw.provider_responses as response on response.lookup_id = lookup.lookup_id
where lookup.lookup_id in (select lookup_id from wanted_lookups)
order by
    lookup.provider, lookup.reply_id, lookup.run_id, lookup.answer_index, lookup.lookup_id;
