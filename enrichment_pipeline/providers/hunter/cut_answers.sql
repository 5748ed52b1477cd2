-- How Hunter's raw replies of the finder are cut into answers: a reply is one, the first.
--
-- reads: uncut_replies
-- makes: cut_answers

create or replace temp view cut_answers as
-- what Python's reader took and DuckDB's does not stays in the ledger only
select reply_id, 0 as answer_index, cast(body as json) as answer
from uncut_replies
where json_valid(body);
