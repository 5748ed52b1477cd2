-- How Prospeo's answers read into the common profile (`staging.profiles` says what it holds).
-- version: 1 (another number has all answers read anew)
-- verified: VERIFIED
--
-- Values are taken as they are given. An e-mail or a mobile phone that is not revealed is masked,
-- and is none. The only company of which a website is told is the current one.
--
-- reads: unread_answers
-- makes: read_profiles

-- the parts of an answer that are read
create or replace temp macro prospeo_answer() as '{
    "person": {
        "person_id": "VARCHAR",
        "full_name": "VARCHAR",
        "first_name": "VARCHAR",
        "last_name": "VARCHAR",
        "linkedin_url": "VARCHAR",
        "headline": "VARCHAR",
        "current_job_title": "VARCHAR",
        "location": {"city": "VARCHAR", "state": "VARCHAR", "country": "VARCHAR"},
        "email": {"status": "VARCHAR", "revealed": "BOOLEAN", "email": "VARCHAR"},
        "mobile": {"status": "VARCHAR", "revealed": "BOOLEAN", "mobile": "VARCHAR"},
        "job_history": [{
            "title": "VARCHAR", "company_name": "VARCHAR", "company_id": "VARCHAR",
            "current": "BOOLEAN", "start_year": "INTEGER", "start_month": "INTEGER"
        }]
    },
    "company": {
        "company_id": "VARCHAR", "name": "VARCHAR", "website": "VARCHAR", "domain": "VARCHAR",
        "industry": "VARCHAR", "employee_count": "VARCHAR", "employee_range": "VARCHAR"
    }
}';

create or replace temp macro prospeo_status(status) as
    case status when 'VERIFIED' then 'verified' else 'unverified' end;

create or replace temp macro prospeo_is_shown(told, value) as
    coalesce(told.revealed and not contains(value, '*'), false);

-- Whether a job is the one at the company that the answer describes.
create or replace temp macro prospeo_is_at(job, company) as
    job.current and coalesce(
        job.company_id = company.company_id, lower(job.company_name) = lower(company.name)
    );

-- Which part of an answer does not have the shape that is read; null where all have it. DuckDB
-- makes null of what has another type, and text of what is no text.
create or replace temp macro prospeo_unreadable_part(answer) as list_transform(
    [{
        'of_person': json_type(answer, '$.person'),
        'of_texts': json_type(answer, [
            '$.person.person_id', '$.person.full_name', '$.person.linkedin_url',
            '$.person.email.email', '$.person.email.status', '$.person.mobile.mobile'
        ]),
        'of_parts': json_type(answer, [
            '$.person.email', '$.person.mobile', '$.person.location', '$.company'
        ]),
        'of_history': json_type(answer, '$.person.job_history'),
        'of_jobs': json_type(answer, '$.person.job_history[*]'),
        'of_names': list_concat(
            json_type(answer, '$.person.job_history[*].title'),
            json_type(answer, '$.person.job_history[*].company_name')
        )
    }],
    lambda types: case
        when coalesce(types.of_person, '') <> 'OBJECT' then 'the profile'
        when list_has_any(types.of_texts, ['OBJECT', 'ARRAY', 'BOOLEAN']) then 'one of its texts'
        when len(list_filter(types.of_parts, lambda type: type not in ('OBJECT', 'NULL'))) > 0
            then 'one of its parts'
        when coalesce(types.of_history, 'NULL') not in ('ARRAY', 'NULL') then 'one of its lists'
        when len(list_filter(types.of_jobs, lambda type: type not in ('OBJECT', 'NULL'))) > 0
            then 'an entry of its lists'
        when list_has_any(types.of_names, ['OBJECT', 'ARRAY']) then 'a value in its lists'
    end
)[1];

create or replace temp view read_profiles as
with
told_answers as (
    select
        call_id, call_kind, position, answered_at, from_json(answer, prospeo_answer()) as told,
        prospeo_unreadable_part(answer) as unreadable_part
    from unread_answers
),

told_persons as (
    select
        call_id, call_kind, position, answered_at, unreadable_part, told.person as person,
        told.company as company,
        -- where no job is listed as held, the current one is told by its title alone
        case
            when told.person.current_job_title is null and told.company.name is null then []
            when len(list_filter(told.person.job_history, lambda job: job.current)) > 0 then []
            else [{
                'title': told.person.current_job_title, 'company_name': told.company.name,
                'company_id': told.company.company_id, 'current': true, 'start_year': null,
                'start_month': null
            }]
        end as unlisted_job
    from told_answers
)

select
    call_id,
    call_kind,
    position,
    answered_at,
    '$.person' as path,
    unreadable_part,
    person.person_id as uid,
    coalesce(
        person.full_name, nullif(concat_ws(' ', person.first_name, person.last_name), '')
    ) as full_name,
    person.headline as headline,
    nullif(
        concat_ws(', ', person.location.city, person.location.state, person.location.country), ''
    ) as location,
    list_filter([person.linkedin_url], lambda url: url is not null) as profile_urls,
    list_concat(
        case when prospeo_is_shown(person.email, person.email.email) then [{
            'kind': 'email',
            'field': 'work_email',
            'value': person.email.email,
            'status': prospeo_status(person.email.status),
            'rating': person.email.status,
            'given_type': null,
            'given_sub_type': null
        }] end,
        case when prospeo_is_shown(person.mobile, person.mobile.mobile) then [{
            'kind': 'phone',
            'field': 'mobile_phone',
            'value': person.mobile.mobile,
            'status': prospeo_status(person.mobile.status),
            'rating': person.mobile.status,
            'given_type': null,
            'given_sub_type': null
        }] end
    ) as contact_points,
    list_transform(
        list_concat(unlisted_job, person.job_history),
        lambda job: {
            'title': job.title,
            'company_name': job.company_name,
            'company_website': case
                when prospeo_is_at(job, company) then coalesce(company.website, company.domain)
            end,
            'company_industry': case when prospeo_is_at(job, company) then company.industry end,
            'company_employee_count': case
                when prospeo_is_at(job, company)
                    then coalesce(company.employee_count, company.employee_range)
            end,
            'started': case
                when job.start_month is null then cast(job.start_year as varchar)
                else format('{:04d}-{:02d}', job.start_year, job.start_month)
            end,
            'is_current': job.current
        }
    ) as positions,
    null as release
from told_persons;
