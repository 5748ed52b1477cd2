-- How People Data Labs' answers read into the common profile (`staging.profiles` says what it
-- holds).
-- version: 2 (another number has all answers read anew)
--
-- It verifies nothing, so nothing is verified. An address is likely where its domain is that of
-- the company at which the answer has the person work, and the answer is at least as likely the
-- person's as was asked for (which the answer repeats); any other value is unverified. On plans
-- without contact data `true` stands where there is a value that is not shown: it is none. An
-- address of a former job is none of the person's now, and is left out. The release of its data
-- that a profile is of is where the changelog goes on from.
--
-- reads: unread_answers
-- makes: read_profiles

-- the parts of an answer that are read
create or replace temp macro peopledatalabs_answer() as '{
    "likelihood": "DOUBLE",
    "metadata": {"min_likelihood": "DOUBLE"},
    "data": {
        "id": "VARCHAR",
        "full_name": "VARCHAR",
        "headline": "VARCHAR",
        "linkedin_url": "VARCHAR",
        "location_name": "VARCHAR",
        "work_email": "VARCHAR",
        "personal_emails": ["VARCHAR"],
        "emails": [{"address": "VARCHAR", "type": "VARCHAR"}],
        "mobile_phone": "VARCHAR",
        "phone_numbers": ["VARCHAR"],
        "job_title": "VARCHAR",
        "job_company_name": "VARCHAR",
        "job_company_website": "VARCHAR",
        "job_company_industry": "VARCHAR",
        "job_company_size": "VARCHAR",
        "job_start_date": "VARCHAR",
        "dataset_version": "VARCHAR",
        "experience": [{
            "title": {"name": "VARCHAR"},
            "company": {
                "name": "VARCHAR", "website": "VARCHAR", "industry": "VARCHAR", "size": "VARCHAR"
            },
            "start_date": "VARCHAR",
            "is_primary": "BOOLEAN"
        }]
    }
}';

-- What is shown: neither `true` nor `false`.
create or replace temp macro peopledatalabs_shown(value) as
    case when value not in ('true', 'false') then value end;

-- The host of a website, without www.
create or replace temp macro peopledatalabs_host(website) as
    nullif(regexp_extract(lower(website), '^(?:https?://)?(?:www\.)?([^/:?#\s]+)', 1), '');

-- Whether an address is at that host, or at one below it.
create or replace temp macro peopledatalabs_is_at(address, host) as coalesce(
    ends_with(lower(address), '@' || host) or ends_with(lower(address), '.' || host), false
);

-- An address as a contact point.
create or replace temp macro peopledatalabs_email(address, field, given_type, told) as {
    'kind': 'email',
    'field': field,
    'value': address,
    'status': case
        when told.likelihood >= told.metadata.min_likelihood
            and peopledatalabs_is_at(
                address, peopledatalabs_host(told.data.job_company_website)
            ) then 'likely'
        else 'unverified'
    end,
    'rating': cast(cast(told.likelihood as integer) as varchar),
    'given_type': given_type,
    'given_sub_type': null
};

-- A number as a contact point.
create or replace temp macro peopledatalabs_phone(number, field, told) as {
    'kind': 'phone',
    'field': field,
    'value': number,
    'status': 'unverified',
    'rating': cast(cast(told.likelihood as integer) as varchar),
    'given_type': null,
    'given_sub_type': null
};

-- Which part of an answer does not have the shape that is read; null where all have it. DuckDB
-- makes null of what has another type, and text of what is no text.
create or replace temp macro peopledatalabs_unreadable_part(answer) as list_transform(
    [{
        'of_person': json_type(answer, '$.data'),
        'of_texts': json_type(answer, [
            '$.data.id', '$.data.full_name', '$.data.linkedin_url', '$.data.work_email',
            '$.data.mobile_phone', '$.data.job_title', '$.data.job_company_name',
            '$.data.job_company_website', '$.data.dataset_version'
        ]),
        'of_lists': json_type(answer, [
            '$.data.personal_emails', '$.data.emails', '$.data.phone_numbers', '$.data.experience'
        ]),
        'of_objects': list_concat(
            json_type(answer, '$.data.emails[*]'), json_type(answer, '$.data.experience[*]')
        ),
        'of_values': list_concat(
            json_type(answer, '$.data.personal_emails[*]'),
            json_type(answer, '$.data.phone_numbers[*]'),
            json_type(answer, '$.data.emails[*].address'),
            json_type(answer, '$.data.experience[*].title.name'),
            json_type(answer, '$.data.experience[*].company.name')
        )
    }],
    lambda types: case
        when coalesce(types.of_person, '') <> 'OBJECT' then 'the profile'
        when list_has_any(types.of_texts, ['OBJECT', 'ARRAY']) then 'one of its texts'
        when list_has_any(types.of_lists, ['OBJECT', 'VARCHAR']) then 'one of its lists'
        when len(list_filter(types.of_objects, lambda type: type not in ('OBJECT', 'NULL'))) > 0
            then 'an entry of its lists'
        when list_has_any(types.of_values, ['OBJECT', 'ARRAY']) then 'a value in its lists'
    end
)[1];

create or replace temp view read_profiles as
with
told_answers as (
    select
        call_id, call_kind, position, answered_at,
        from_json(answer, peopledatalabs_answer()) as told,
        peopledatalabs_unreadable_part(answer) as unreadable_part
    from unread_answers
),

told_persons as (
    select
        call_id, call_kind, position, answered_at, unreadable_part, told, told.data as person,
        -- where no job is listed as held, the current one is told beside the list
        case
            when told.data.job_title is null and told.data.job_company_name is null then []
            when len(list_filter(told.data.experience, lambda job: job.is_primary)) > 0 then []
            else [{
                'title': {
                    'name': told.data.job_title
                },
                'company': {
                    'name': told.data.job_company_name, 'website': told.data.job_company_website,
                    'industry': told.data.job_company_industry, 'size': told.data.job_company_size
                },
                'start_date': told.data.job_start_date,
                'is_primary': true
            }]
        end as unlisted_job
    from told_answers
)

select
    call_id,
    call_kind,
    position,
    answered_at,
    '$.data' as path,
    unreadable_part,
    peopledatalabs_shown(person.id) as uid,
    peopledatalabs_shown(person.full_name) as full_name,
    peopledatalabs_shown(person.headline) as headline,
    peopledatalabs_shown(person.location_name) as location,
    list_filter(
        [peopledatalabs_shown(person.linkedin_url)], lambda url: url is not null
    ) as profile_urls,
    list_filter(
        list_concat(
            [peopledatalabs_email(person.work_email, 'work_email', null, told)],
            list_transform(
                person.personal_emails,
                lambda each: peopledatalabs_email(each, 'personal_email', null, told)
            ),
            list_transform(
                list_filter(
                    person.emails,
                    lambda each: each.type in ('current_professional', 'personal')
                ),
                lambda each: peopledatalabs_email(
                    each.address,
                    case each.type when 'personal' then 'personal_email' else 'work_email' end,
                    each.type,
                    told
                )
            ),
            [peopledatalabs_phone(person.mobile_phone, 'mobile_phone', told)],
            list_transform(
                list_filter(
                    person.phone_numbers,
                    lambda each: each is distinct from person.mobile_phone
                ),
                lambda each: peopledatalabs_phone(each, 'direct_phone', told)
            )
        ),
        lambda point: peopledatalabs_shown(point.value) is not null
    ) as contact_points,
    list_transform(
        list_concat(unlisted_job, person.experience),
        lambda job: {
            'title': job.title.name,
            'company_name': job.company.name,
            'company_website': job.company.website,
            'company_industry': job.company.industry,
            'company_employee_count': job.company.size,
            'started': job.start_date,
            'is_current': job.is_primary
        }
    ) as positions,
    peopledatalabs_shown(person.dataset_version) as release
from told_persons;
