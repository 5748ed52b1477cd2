-- Turn the judged answers into facts, one row per contact, field, value and observation.

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

insert into enrichment.person_facts (
    contact_id, person_key, field, value, position, given_type, given_sub_type, provider,
    confidence, status, observed_at, lookup_id, run_id, valid_from, valid_to
)
with plain as (
    select
        *,
        unnest([
            'provider_uid', 'full_name', 'location', 'linkedin_url', 'job_title', 'seniority',
            'company_name', 'company_domain', 'company_website', 'company_industry',
            'company_employee_count'
        ]) as field,
        unnest([
            provider_uid, full_name, location, linkedin_url, job_title, seniority,
            company_name, company_domain, company_website, company_industry,
            company_employee_count
        ]) as value
    from accepted_answers
)

select
    contact_id, person_key, field, value, 1, null, null, provider, null, null, answered_at,
    lookup_id, run_id, answered_at, null
from plain
where value is not null
union all
select
    answer.contact_id, answer.person_key, point.field, point.value, point.position,
    point.given_type, point.given_sub_type, answer.provider, point.confidence, point.status,
    answer.answered_at, answer.lookup_id, answer.run_id, answer.answered_at, null
from new_points as point
join accepted_answers as answer on answer.answer_no = point.answer_no
union all
select
    contact_id, person_key, 'lookup_outcome', judgement, 1, null, null, provider,
    case when is_decided then 'human' end, null, answered_at, lookup_id, run_id, answered_at, null
from judged_answers
union all
select
    contact_id, person_key, 'outcome_detail', detail, 1, null, null, provider, null, null,
    answered_at, lookup_id, run_id, answered_at, null
from judged_answers
where detail is not null and judgement in ('identity_mismatch', 'unreadable_answer');

insert into staging.read_answers (contact_id, lookup_id, basis)
select contact_id, lookup_id, basis
from pending_answers
where batch = $batch;

insert into touched_contacts (contact_id)
select contact_id from judged_answers;

insert into touched_domains (company_domain)
select distinct company_domain
from accepted_answers
where company_domain is not null;

-- every identifier that an accepted answer gives belongs to its person from now on,
-- unless it is somebody's already; a phone at work may be a switchboard
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

select fact_alias(given.field, given.value) as alias, answer.person_key, given.answer_no
from given
join accepted_answers as answer on answer.answer_no = given.answer_no
where given.value is not null;

insert into staging.person_aliases (alias, person_key, origin, added_at)
select given.alias, min(given.person_key), 'answer', $loaded_at
from answered_aliases as given
anti join staging.person_aliases as known on known.alias = given.alias
where given.alias is not null
group by given.alias;
