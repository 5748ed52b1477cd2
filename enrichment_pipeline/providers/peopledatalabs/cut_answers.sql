-- How People Data Labs' raw replies to look-ups are cut into answers: a reply is a list of them.
-- `answer_index` is where one stands in it, from 0, as `answers.py` counts.
--
-- reads: uncut_replies
-- makes: cut_answers

create or replace temp view cut_answers as
with lists as (
    -- what Python's reader took and DuckDB's does not stays in the ledger only
    select reply_id, case when json_valid(body) then from_json(body, '["JSON"]') end as answers
    from uncut_replies
)

select
    reply_id,
    unnest(answers) as answer,
    generate_subscripts(answers, 1) - 1 as answer_index
from lists;
