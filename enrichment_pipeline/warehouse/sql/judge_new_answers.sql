-- Is the person who was found the one who was looked for? An answer with another name is
-- evidence for a reviewer and never fills a field. What a reviewer decided on a profile stands.
-- A profile that a search gave had its name compared when it was chosen, for the contact that
-- was searched for and those of the same name.

create or replace temp table judged_answers as
with
searched_for as (
    select distinct contact_id, uid
    from enrichment.search_results
    where verdict = 'resolved'
),

named as (
    select
        answer.*,
        coalesce(name_key(answer.candidate.fullName), '') as their_name_key,
        decided.judgement as decided_judgement,
        lower(answer.candidate.uid) = result.uid
        or (
            lookup.item_kind = 'uid'
            and lower(answer.candidate.uid) = lookup.item
            and asked.name_key = answer.our_name_key
        ) as is_chosen
    from new_answers as answer
    left join decided_answers as decided
        on decided.contact_id = answer.contact_id and decided.lookup_id = answer.lookup_id
    left join raw.lookups as lookup on lookup.lookup_id = answer.lookup_id
    left join staging.contact_parts as asked on asked.contact_id = lookup.contact_id
    left join searched_for as result
        on result.contact_id = answer.contact_id and result.uid = lower(answer.candidate.uid)
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
