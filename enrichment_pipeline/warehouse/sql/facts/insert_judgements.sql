-- Keep how the answers of a batch were judged, with the values of those that are accepted: one row
-- for each answer to each contact.
--
-- reads: current_positions, judged_answers, new_answers, new_contact_points, pending_answers,
--        phone_regions, staging.person_aliases, staging.phones
-- makes: accepted_answers, answered_aliases, new_points, staging.judgements, staging.person_aliases

-- the e-mails and phones of the answers that are accepted, the best of each field first
create or replace temp table new_points as
with
points as (
    select
        point.answer_no,
        point.field,
        case point.kind when 'email' then point.email else coalesce(phone.e164, point.value) end
            as value,
        point.given_type,
        point.given_sub_type,
        point.rating as confidence,
        point.status,
        point.given_order
    from new_contact_points as point
    semi join judged_answers as judged
        on judged.answer_no = point.answer_no and judged.judgement = 'matched'
    left join phone_regions as region
        on region.phone_text = point.value and region.company_domain is null
    left join staging.phones as phone
        on phone.phone_text = point.value and phone.region = region.region
),

-- one value may be given twice, with two ratings: the better one stands
rated as (
    select *
    from points
    where value is not null
    qualify row_number() over (
        partition by answer_no, field, value order by status_rank(status), given_order
    ) = 1
)

select
    *,
    row_number() over (
        partition by answer_no, field order by status_rank(status), given_order
    ) as position
from rated;

-- the answers that are accepted, with what they give for the other fields
create or replace temp table accepted_answers as
select
    judged.*,
    real_text(answer.uid) as provider_uid,
    answer.their_name as full_name,
    answer.location,
    'https://www.linkedin.com/in/' || url_encode(
        list_filter(answer.their_slugs, lambda each: each is not null)[1]
    ) as linkedin_url,
    position.* exclude (answer_no)
from judged_answers as judged
join new_answers as answer on answer.answer_no = judged.answer_no
left join current_positions as position on position.answer_no = judged.answer_no
where judged.judgement = 'matched';

insert into staging.judgements by name
with points as (
    select
        answer_no,
        list({
            'field': field, 'value': value, 'position': position, 'given_type': given_type,
            'given_sub_type': given_sub_type, 'confidence': confidence, 'status': status
        }) as points
    from new_points
    group by answer_no
)

select
    judged.contact_id,
    judged.lookup_id,
    pending.basis,
    judged.person_key,
    judged.provider,
    judged.answered_at,
    judged.run_id,
    judged.judgement,
    judged.is_decided,
    case when judged.judgement in ('identity_mismatch', 'unreadable_answer') then judged.detail end
        as detail,
    accepted.provider_uid,
    accepted.full_name,
    accepted.location,
    accepted.linkedin_url,
    accepted.job_title,
    accepted.seniority,
    accepted.company_name,
    accepted.company_domain,
    accepted.company_website,
    accepted.company_industry,
    accepted.company_employee_count,
    points.points
from judged_answers as judged
join pending_answers as pending on pending.answer_no = judged.answer_no
left join accepted_answers as accepted on accepted.answer_no = judged.answer_no
left join points on points.answer_no = judged.answer_no;

-- every identifier that an accepted answer gives belongs to its person from now on,
-- unless it is another person's already; a phone at work may be a switchboard
create or replace temp table answered_aliases as
with given as (
    select
        answer_no,
        unnest(['provider_uid', 'linkedin_url']) as field,
        unnest([provider_uid, linkedin_url]) as value
    from accepted_answers
    union all
    select answer_no, field, value from new_points
)

select
    fact_alias(answer.provider, given.field, given.value) as alias, answer.person_key,
    given.answer_no
from given
join accepted_answers as answer on answer.answer_no = given.answer_no
where given.value is not null;

insert into staging.person_aliases (alias, person_key, origin, added_at)
select given.alias, min(given.person_key), 'answer', $loaded_at
from answered_aliases as given
anti join staging.person_aliases as known on known.alias = given.alias
where given.alias is not null
group by given.alias;
