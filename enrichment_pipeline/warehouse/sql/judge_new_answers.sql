-- Is the person who was found the one who was looked for? An answer with another name is
-- evidence for a reviewer and never fills a field.

create or replace temp table judged_answers as
with named as (
    select *, coalesce(name_key(candidate.fullName), '') as their_name_key
    from new_answers
)

select
    *,
    case
        when outcome <> 'matched' then outcome
        when names_alike(our_name_key, their_name_key) then 'matched'
        else 'identity_mismatch'
    end as judgement
from named;
