-- How the finder's answers read into the common profile (`staging.profiles` says what it holds).
-- version: 1 (another number has all answers read anew)
-- verified: valid
--
-- An address is inferred from the name and the domain that were asked for. Verified is what Hunter
-- calls valid. At a host that takes every address it is likely only where Hunter is sure, and has
-- seen it somewhere. Webmail is a personal address, and is not checked further. What is invalid or
-- disposable is no address of the person's. The name and the company are those that the answer
-- bears, so that the identity check compares them with ours; mostly they are what was asked by.
--
-- reads: unread_answers
-- makes: read_profiles

-- the parts of an answer that are read
create or replace temp macro hunter_answer() as '{
    "data": {
        "first_name": "VARCHAR",
        "last_name": "VARCHAR",
        "email": "VARCHAR",
        "score": "DOUBLE",
        "domain": "VARCHAR",
        "position": "VARCHAR",
        "company": "VARCHAR",
        "linkedin_url": "VARCHAR",
        "phone_number": "VARCHAR",
        "verification": {"status": "VARCHAR"},
        "sources": ["JSON"]
    }
}';

create or replace temp macro hunter_address_status(found) as case
    when found.verification.status = 'valid' then 'verified'
    when found.verification.status = 'webmail' then 'likely'
    when found.verification.status = 'accept_all' and found.score >= 90 and len(found.sources) > 0
        then 'likely'
    else 'unverified'
end;

-- Which part of an answer does not have the shape that is read; null where all have it. DuckDB
-- makes null of what has another type, and text of what is no text.
create or replace temp macro hunter_unreadable_part(answer) as list_transform(
    [{
        'of_data': json_type(answer, '$.data'),
        'of_texts': json_type(answer, [
            '$.data.first_name', '$.data.last_name', '$.data.email', '$.data.domain',
            '$.data.position', '$.data.company', '$.data.linkedin_url', '$.data.phone_number',
            '$.data.verification.status'
        ]),
        'of_verification': json_type(answer, '$.data.verification'),
        'of_sources': json_type(answer, '$.data.sources')
    }],
    lambda types: case
        when coalesce(types.of_data, '') <> 'OBJECT' then 'the profile'
        when list_has_any(types.of_texts, ['OBJECT', 'ARRAY', 'BOOLEAN']) then 'one of its texts'
        when coalesce(types.of_verification, 'NULL') not in ('OBJECT', 'NULL')
            then 'one of its parts'
        when coalesce(types.of_sources, 'NULL') not in ('ARRAY', 'NULL') then 'one of its lists'
    end
)[1];

create or replace temp view read_profiles as
with told_answers as (
    select
        call_id, call_kind, position, answered_at,
        from_json(answer, hunter_answer()).data as found,
        hunter_unreadable_part(answer) as unreadable_part
    from unread_answers
)

select
    call_id,
    call_kind,
    position,
    answered_at,
    '$.data' as path,
    unreadable_part,
    null as uid,
    nullif(concat_ws(' ', found.first_name, found.last_name), '') as full_name,
    null as headline,
    null as location,
    list_filter([found.linkedin_url], lambda url: url is not null) as profile_urls,
    list_concat(
        case
            when found.email is not null
                and coalesce(found.verification.status, '') not in ('invalid', 'disposable')
                then [{
                    'kind': 'email',
                    'field': case found.verification.status
                        when 'webmail' then 'personal_email'
                        else 'work_email'
                    end,
                    'value': found.email,
                    'status': hunter_address_status(found),
                    'rating': found.verification.status,
                    'given_type': null,
                    'given_sub_type': null
                }]
        end,
        case when found.phone_number is not null then [{
            'kind': 'phone',
            'field': 'direct_phone',
            'value': found.phone_number,
            'status': 'unverified',
            'rating': null,
            'given_type': null,
            'given_sub_type': null
        }] end
    ) as contact_points,
    case when coalesce(found.company, found.domain, found.position) is not null then [{
        'title': found.position,
        'company_name': found.company,
        'company_website': found.domain,
        'company_industry': null,
        'company_employee_count': null,
        'started': null,
        'is_current': true
    }] end as positions,
    null as release
from told_answers;
