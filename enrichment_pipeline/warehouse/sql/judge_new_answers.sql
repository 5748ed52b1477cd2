-- Is the person who was found the one who was looked for? An answer with another name is
-- evidence for a reviewer and never fills a field. What a reviewer decided on a profile stands.

create or replace temp table judged_answers as
with named as (
    select
        answer.*,
        coalesce(name_key(answer.candidate.fullName), '') as their_name_key,
        decided.judgement as decided_judgement
    from new_answers as answer
    left join decided_answers as decided
        on decided.contact_id = answer.contact_id and decided.lookup_id = answer.lookup_id
)

select
    *,
    case
        when outcome <> 'matched' then outcome
        when decided_judgement is not null then decided_judgement
        when names_alike(our_name_key, their_name_key) then 'matched'
        else 'identity_mismatch'
    end as judgement
from named;
