-- Cut a page of raw replies (registered as `reply_page`) into the answers of their look-ups.
--
-- reads: raw.lookups, raw.provider_responses, reply_page
-- makes: raw.provider_responses

insert into raw.provider_responses by name
with lists as (
    -- what Python's reader took and DuckDB's does not stays in the ledger only
    select reply_id, case when json_valid(body) then from_json(body, '["JSON"]') end as answers
    from reply_page
),

answers as (
    select
        reply_id,
        unnest(answers) as answer,
        generate_subscripts(answers, 1) - 1 as answer_index
    from lists
)

select
    lookup.lookup_id, lookup.provider, lookup.person_key, lookup.item, lookup.outcome,
    answers.answer, lookup.answered_at, lookup.run_id
from raw.lookups as lookup
left join answers
    on answers.reply_id = lookup.reply_id and answers.answer_index = lookup.answer_index
where lookup.state = 'answered'
    and lookup.reply_id in (select reply_id from reply_page)
    and lookup.lookup_id not in (select lookup_id from raw.provider_responses);
