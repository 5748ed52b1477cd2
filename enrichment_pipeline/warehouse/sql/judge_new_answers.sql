-- Is the person who was found the one who was looked for? An answer with another name is
-- evidence for a reviewer and never fills a field.

create or replace temp table judged_answers as
select
    answer.*,
    case
        when answer.outcome <> 'matched' then answer.outcome
        when names_alike(answer.our_name_key, coalesce(name_key(answer.candidate.fullName), ''))
            then 'matched'
        else 'identity_mismatch'
    end as judgement
from new_answers as answer;
