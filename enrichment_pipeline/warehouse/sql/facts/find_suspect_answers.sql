-- Answers that may not have the shape that is read: DuckDB makes null of what has another
-- type, and text of what is no text. Whether they have it is looked up in each
-- (`find_unreadable_answers.sql`), which costs reading it again.
--
-- reads: new_answers, new_contact_points, new_positions
-- makes: suspects, unreadable_answers

create or replace temp table suspects as
select answer_no, lookup_id
from new_answers
where outcome = 'matched'
    and (
        may_be_misread
        or answer_no in (select answer_no from new_positions where may_be_misread)
        or answer_no in (select answer_no from new_contact_points where may_be_misread)
    );

create or replace temp table unreadable_answers (answer_no bigint, part varchar);
