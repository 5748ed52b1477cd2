-- Answers that may well be a namesake's who works at the same company. An answer of $repeaters
-- bears the name that it was asked by, whoever was found, and the company by whose domain: that
-- both agree tells nothing. So such an answer is doubtful where it bears another profile than ours,
-- or a numbered address: `ada.example2@` is given to a second person of that name. Unless something
-- agrees that was no part of the question: our profile, e-mail or phone, or the job title.
--
-- reads: new_answers, new_contact_points, new_positions, phone_regions, staging.phones
-- makes: namesakes

create or replace temp table namesakes as
with
repeated as (
    select
        answer_no, our_email, our_phone, our_linkedin_slug, our_job_title,
        list_filter(their_slugs, lambda slug: slug is not null) as their_slugs
    from new_answers
    where outcome = 'matched' and list_contains($repeaters, provider)
),

points as (
    select
        point.answer_no,
        bool_or(point.kind = 'email' and regexp_matches(point.email, '^[^@]*[^0-9@][0-9]+@'))
            as is_numbered,
        bool_or(point.kind = 'email' and point.email = answer.our_email) as bears_email,
        bool_or(point.kind = 'phone' and phone.e164 = answer.our_phone) as bears_phone
    from repeated as answer
    join new_contact_points as point on point.answer_no = answer.answer_no
    left join phone_regions as region
        on region.phone_text = point.value and region.company_domain is null
    left join staging.phones as phone
        on phone.phone_text = point.value and phone.region = region.region
    group by point.answer_no
),

same_titles as (
    select distinct answer.answer_no
    from repeated as answer
    join new_positions as position on position.answer_no = answer.answer_no
    where name_key(position.job_title) = name_key(answer.our_job_title)
)

select answer.answer_no
from repeated as answer
left join points on points.answer_no = answer.answer_no
left join same_titles as titled on titled.answer_no = answer.answer_no
where titled.answer_no is null
    and points.bears_email is not true
    and points.bears_phone is not true
    and list_contains(answer.their_slugs, answer.our_linkedin_slug) is not true
    and (
        points.is_numbered
        or (answer.our_linkedin_slug is not null and len(answer.their_slugs) > 0)
    );
