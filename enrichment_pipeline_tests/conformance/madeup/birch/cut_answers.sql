-- How Birch Data's raw replies to look-ups are cut into answers: an object holds them under
-- `responses`.
--
-- reads: uncut_replies
-- makes: cut_answers

create or replace temp view cut_answers as
with lists as (
    select
        reply_id,
        case when json_valid(body) then from_json(json_extract(body, '$.responses'), '["JSON"]')
        end as responses
    from uncut_replies
)

select
    reply_id,
    unnest(responses) as answer,
    generate_subscripts(responses, 1) - 1 as answer_index
from lists;
