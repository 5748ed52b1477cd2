-- Answers to a question by a name and a company that may well be a namesake's there. Such an answer
-- bears both, whoever was found, and does not tell how many there are: that they agree says
-- nothing. So it is doubtful where something speaks against it: another job title or another
-- profile than ours, or a numbered address (`ada.example2@` is given to a second person of that
-- name). Unless something agrees that was no part of the question: our profile, e-mail or phone,
-- or, against the last two, the job title.
--
-- reads: new_answers, new_contact_points, new_positions, phone_regions, raw.lookups, staging.phones
-- makes: namesakes

create or replace temp table namesakes as
with
named as (
    select
        answer.answer_no,
        answer.our_email,
        answer.our_phone,
        answer.our_linkedin_slug,
        name_words(answer.our_job_title) as our_title,
        list_filter(answer.their_slugs, lambda slug: slug is not null) as their_slugs
    from new_answers as answer
    join raw.lookups as lookup on lookup.lookup_id = answer.lookup_id
    where answer.outcome = 'matched' and lookup.item_kind = 'name'
),

points as (
    select
        point.answer_no,
        bool_or(point.kind = 'email' and regexp_matches(point.email, '^[^@]*[^0-9@][0-9]+@'))
            as is_numbered,
        bool_or(point.kind = 'email' and point.email = answer.our_email) as bears_email,
        bool_or(point.kind = 'phone' and phone.e164 = answer.our_phone) as bears_phone
    from named as answer
    join new_contact_points as point on point.answer_no = answer.answer_no
    left join phone_regions as region
        on region.phone_text = point.value and region.company_domain is null
    left join staging.phones as phone
        on phone.phone_text = point.value and phone.region = region.region
    group by point.answer_no
),

-- of two forms of one title the shorter leaves words out
titles as (
    select
        position.answer_no,
        bool_or(
            list_has_all(answer.our_title, name_words(position.job_title))
            or list_has_all(name_words(position.job_title), answer.our_title)
        ) as is_same_title
    from named as answer
    join new_positions as position on position.answer_no = answer.answer_no
    where len(answer.our_title) > 0 and len(name_words(position.job_title)) > 0
    group by position.answer_no
)

select answer.answer_no
from named as answer
left join points on points.answer_no = answer.answer_no
left join titles on titles.answer_no = answer.answer_no
where points.bears_email is not true
    and points.bears_phone is not true
    and list_contains(answer.their_slugs, answer.our_linkedin_slug) is not true
    and case
        when titles.is_same_title is null then
            points.is_numbered
            or (answer.our_linkedin_slug is not null and len(answer.their_slugs) > 0)
        else not titles.is_same_title
    end;
