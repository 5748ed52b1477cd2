-- How Prospeo's raw replies to look-ups are cut into answers: the entries of its three lists,
-- counted through in this order; a reply with an error is one answer, the first.
-- `answer_index` is counted from 0, as `answers.py` does.
--
-- reads: uncut_replies
-- makes: cut_answers

create or replace temp view cut_answers as
with lists as (
    -- what Python's reader took and DuckDB's does not stays in the ledger only
    select
        reply_id,
        case
            when not json_valid(body) then null
            when json_extract_string(body, '$.error') = 'true' then [cast(body as json)]
            else list_concat(
                from_json(json_extract(body, '$.matched'), '["JSON"]'),
                from_json(json_extract(body, '$.not_matched'), '["JSON"]'),
                from_json(json_extract(body, '$.invalid_datapoints'), '["JSON"]')
            )
        end as answers
    from uncut_replies
)

select
    reply_id,
    unnest(answers) as answer,
    generate_subscripts(answers, 1) - 1 as answer_index
from lists;
