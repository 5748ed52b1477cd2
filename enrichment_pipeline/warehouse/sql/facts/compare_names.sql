-- How each answer's name goes with ours: as written, or in Latin letters where only one of
-- the two is in another script. What has no letters is no name, and contradicts nothing.
--
-- reads: foreign_names, new_answers
-- makes: name_agreements

create or replace temp table name_agreements as
with
read as (
    select
        *,
        is_in_other_script(our_name_key) as is_ours_foreign,
        -- mostly written as ours is
        case when their_name = our_full_name then our_name_key else name_key(their_name) end
            as their_name_key
    from new_answers
    where outcome = 'matched'
),

written as (
    select
        *,
        -- as it is written it is wanted only where the names are not plainly alike
        case
            when is_ours_foreign or coalesce(our_name_key <> their_name_key, true)
                then written_name(our_full_name, our_first_name, our_last_name)
        end as our_name,
        case
            when not is_ours_foreign and our_name_key <> their_name_key
                then name_key(family_name(our_full_name, our_last_name))
        end as our_family_key
    from read
),

named as (
    select
        answer.answer_no,
        answer.our_name,
        answer.their_name,
        answer.is_ours_foreign,
        is_in_other_script(answer.their_name) as is_theirs_foreign,
        case when regexp_matches(answer.our_name_key, '\p{L}') then answer.our_name_key else '' end
            as our_key,
        coalesce(answer.their_name_key, '') as their_key,
        answer.our_family_key,
        our_latin.latin_key as our_latin_key,
        their_latin.latin_key as their_latin_key
    from written as answer
    left join foreign_names as our_latin on our_latin.name = answer.our_name
    left join foreign_names as their_latin on their_latin.name = answer.their_name
),

keyed as (
    select
        answer_no,
        our_name,
        their_name,
        our_key,
        their_key,
        our_family_key,
        is_ours_foreign and not is_theirs_foreign as is_only_ours_foreign,
        is_theirs_foreign and not is_ours_foreign as is_only_theirs_foreign,
        case
            when is_ours_foreign and not is_theirs_foreign then our_latin_key else our_key
        end as our_compared,
        case
            when is_theirs_foreign and not is_ours_foreign then their_latin_key else their_key
        end as their_compared,
        -- family and given name as one word, in either order
        case
            when is_ours_foreign and is_theirs_foreign then
                list_sort(string_split(replace(our_key, ' ', ''), ''))
                = list_sort(string_split(replace(their_key, ' ', ''), ''))
            else false
        end as has_same_signs
    from named
)

select
    answer_no,
    our_name,
    their_name,
    our_key,
    their_key,
    is_only_ours_foreign,
    is_only_theirs_foreign,
    has_same_signs
    or names_alike(
        our_compared, their_compared,
        least_similarity := $name_similarity, family_name := our_family_key
    ) as is_alike
from keyed;
