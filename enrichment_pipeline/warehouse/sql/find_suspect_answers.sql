-- Answers that may not have the shape that is read: DuckDB makes null of what has another
-- type, and text of what is no text. Whether they have it is looked up in each
-- (`find_unreadable_answers.sql`), which costs reading it again.

create or replace temp table suspects as
select contact_id, lookup_id
from new_answers
where outcome = 'matched'
    and (
        candidate is null
        or candidate.contacts is null
        or candidate.social is null
        or candidate.experience is null
        or candidate.locations is null
        or looks_like_json(candidate.uid)
        or looks_like_json(candidate.fullName)
        or len(list_filter(
            candidate.social, lambda each: each.link is null or looks_like_json(each.link)
        )) > 0
        or len(list_filter(
            candidate.locations, lambda each: each.name is null or looks_like_json(each.name)
        )) > 0
    )
union
select contact_id, lookup_id
from new_positions
where may_be_misread
union
select contact_id, lookup_id
from new_contact_points
where may_be_misread;

create or replace temp table unreadable_answers (
    contact_id varchar, lookup_id varchar, part varchar
);
