-- Turn the judged answers into facts, one row per contact, field, value and observation.

create or replace temp table new_facts as
with
accepted as (
    select * from judged_answers where judgement = 'matched'
),

points as (
    select
        point.contact_id,
        point.lookup_id,
        case
            when point.type = 'email' and point.sub_type = 'work' then 'work_email'
            when point.type = 'email' then 'personal_email'
            when point.sub_type = 'mobile' then 'mobile_phone'
            else 'direct_phone'
        end as field,
        case point.type when 'email' then point.email else coalesce(phone.e164, point.value) end
            as value,
        point.given_type,
        point.given_sub_type,
        point.rating as confidence,
        rating_status(point.rating) as status,
        point.given_order
    from new_contact_points as point
    left join phone_regions as region
        on region.phone_text = point.value and region.company_domain is null
    left join staging.phones as phone
        on phone.phone_text = point.value and phone.region = region.region
    where point.type in ('email', 'phone')
),

-- one value may be given twice, with two ratings: the better one stands
rated as (
    select *
    from points
    where value is not null
    qualify row_number() over (
        partition by contact_id, lookup_id, field, value
        order by status_rank(status), given_order
    ) = 1
),

placed as (
    select
        *,
        row_number() over (
            partition by contact_id, lookup_id, field
            order by status_rank(status), given_order
        ) as position
    from rated
),

plain as (
    select
        answer.contact_id,
        answer.lookup_id,
        unnest([
            { 'field': 'provider_uid', 'value': real_text(answer.candidate.uid) },
            { 'field': 'full_name', 'value': answer.their_name },
            { 'field': 'location', 'value': real_text(answer.candidate.locations[1].name) },
            {
                'field': 'linkedin_url',
                'value': 'https://www.linkedin.com/in/' || url_encode(
                    list_filter(answer.their_slugs, lambda each: each is not null)[1]
                )
            },
            { 'field': 'job_title', 'value': position.job_title },
            { 'field': 'seniority', 'value': position.seniority },
            { 'field': 'company_name', 'value': position.company_name },
            { 'field': 'company_domain', 'value': position.company_domain },
            { 'field': 'company_website', 'value': position.company_host },
            { 'field': 'company_industry', 'value': position.industry },
            { 'field': 'company_employee_count', 'value': position.employee_count }
        ], recursive := true)
    from new_answers as answer
    semi join accepted
        on accepted.contact_id = answer.contact_id and accepted.lookup_id = answer.lookup_id
    left join current_positions as position
        on position.contact_id = answer.contact_id and position.lookup_id = answer.lookup_id
),

fields as (
    select
        contact_id,
        lookup_id,
        field,
        value,
        position,
        given_type,
        given_sub_type,
        confidence,
        status
    from placed
    union all
    select
        contact_id, lookup_id, field, value, 1 as position, null as given_type,
        null as given_sub_type, null as confidence, null as status
    from plain
    where value is not null
)

select
    answer.contact_id, answer.person_key, field.field, field.value, field.position,
    field.given_type, field.given_sub_type, answer.provider, field.confidence, field.status,
    answer.answered_at, answer.lookup_id, answer.run_id
from accepted as answer
join fields as field
    on field.contact_id = answer.contact_id and field.lookup_id = answer.lookup_id
union all
select
    contact_id, person_key, 'lookup_outcome', judgement, 1, null, null, provider,
    case when is_decided then 'human' end,
    null, answered_at, lookup_id, run_id
from judged_answers
union all
select
    contact_id, person_key, 'outcome_detail', detail, 1, null, null, provider, null, null,
    answered_at, lookup_id, run_id
from judged_answers
where detail is not null and judgement in ('identity_mismatch', 'unreadable_answer');

insert into enrichment.person_facts (
    contact_id, person_key, field, value, position, given_type, given_sub_type, provider,
    confidence, status, observed_at, lookup_id, run_id, valid_from, valid_to
)
select
    contact_id, person_key, field, value, position, given_type, given_sub_type, provider,
    confidence, status, answered_at, lookup_id, run_id, answered_at, null
from new_facts;

insert into staging.read_answers (contact_id, lookup_id, basis)
select contact_id, lookup_id, basis
from pending_answers
where batch = $batch;

insert into touched_contacts (contact_id)
select contact_id from judged_answers;

insert into touched_domains (company_domain)
select distinct value
from new_facts
where field = 'company_domain';

-- every identifier that an accepted answer gives belongs to its person from now on,
-- unless it is somebody's already; a phone at work may be a switchboard
create or replace temp table answered_aliases as
select fact_alias(field, value) as alias, person_key, contact_id, lookup_id
from new_facts
where field in ('linkedin_url', 'mobile_phone', 'provider_uid', 'work_email', 'personal_email');

insert into staging.person_aliases (alias, person_key, origin, added_at)
select alias, min(person_key), 'answer', $loaded_at
from answered_aliases as given
where alias is not null
    and not exists (select 1 from staging.person_aliases as known where known.alias = given.alias)
group by alias;
