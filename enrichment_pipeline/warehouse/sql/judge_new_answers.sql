-- Is the person who was found the one who was looked for? An answer with another name is
-- evidence for a reviewer and never fills a field. What a reviewer decided on a profile stands.
-- A profile that was looked up by its UID had its name compared when it was chosen, for contacts
-- of the name that it was chosen for.

create or replace temp table judged_answers as
with named as (
    select
        answer.*,
        coalesce(name_key(answer.candidate.fullName), '') as their_name_key,
        decided.judgement as decided_judgement,
        lookup.item_kind = 'uid'
        and lower(answer.candidate.uid) = lookup.item
        and asked.name_key = answer.our_name_key as is_chosen
    from new_answers as answer
    left join decided_answers as decided
        on decided.contact_id = answer.contact_id and decided.lookup_id = answer.lookup_id
    left join raw.lookups as lookup on lookup.lookup_id = answer.lookup_id
    left join staging.contact_parts as asked on asked.contact_id = lookup.contact_id
)

select
    *,
    case
        when outcome <> 'matched' then outcome
        when decided_judgement is not null then decided_judgement
        when is_chosen or names_alike(our_name_key, their_name_key) then 'matched'
        else 'identity_mismatch'
    end as judgement
from named;
