-- How SignalHire's answers read into the common profile (`staging.profiles` says what it holds).
-- version: 1 (another number has all answers read anew)
-- verified: 100
-- failed by item: duplicate_query, timeout_exceeded
--
-- One row for each look-up's answer, and for each profile that a search gave. Values are taken as
-- they are given; what they are worth is said by `kind`, `field` and `status`.
--
-- reads: unread_answers
-- makes: read_profiles

-- the parts of a profile that are read
create or replace temp macro signalhire_profile() as '{
    "uid": "VARCHAR",
    "fullName": "VARCHAR",
    "headLine": "VARCHAR",
    "location": "VARCHAR",
    "locations": [{"name": "VARCHAR"}],
    "contacts": [{
        "type": "VARCHAR", "value": "VARCHAR", "rating": "VARCHAR", "subType": "VARCHAR"
    }],
    "social": [{"type": "VARCHAR", "link": "VARCHAR"}],
    "experience": [{
        "position": "VARCHAR", "title": "VARCHAR", "company": "VARCHAR", "current": "BOOLEAN",
        "started": "VARCHAR", "website": "VARCHAR",
        "companySize": "VARCHAR", "staffCount": "VARCHAR", "industry": "VARCHAR"
    }]
}';

-- The provider's scale, from its documentation: 100 high confidence, 70 likely.
create or replace temp macro signalhire_status(rating) as
    case try_cast(rating as double) when 100 then 'verified' when 70 then 'likely' else 'unverified'
    end;

-- Whether a profile may not have the shape that is read: DuckDB makes null of what has another
-- type, and text of what is no text.
create or replace temp macro signalhire_may_be_misread(candidate) as list_transform(
    [candidate],
    lambda told: told is null
    or told.contacts is null
    or told.social is null
    or told.experience is null
    or told.locations is null
    or looks_like_json(told.uid)
    or looks_like_json(told.fullName)
    or len(list_filter(
        told.social, lambda each: each.link is null or looks_like_json(each.link)
    )) > 0
    or len(list_filter(
        told.locations, lambda each: each.name is null or looks_like_json(each.name)
    )) > 0
    or len(list_filter(
        told.contacts,
        lambda each: each.value is null or looks_like_json(each.value)
        or looks_like_json(each.type) or looks_like_json(each.rating)
        or looks_like_json(each.subType)
    )) > 0
    or len(list_filter(
        told.experience,
        lambda each: each.company is null or looks_like_json(each.company)
        or looks_like_json(each.position) or looks_like_json(each.started)
        or looks_like_json(each.website) or looks_like_json(each.companySize)
        or looks_like_json(each.staffCount) or looks_like_json(each.industry)
    )) > 0
)[1];

-- Which part of an answer does not have that shape; null where all have it. This reads the
-- answer again, so it is asked of suspects only.
create or replace temp macro signalhire_unreadable_part(answer) as list_transform(
    [{
        'of_candidate': json_type(answer, '$.candidate'),
        'of_texts': json_type(answer, ['$.candidate.uid', '$.candidate.fullName']),
        'of_lists': json_type(answer, [
            '$.candidate.contacts', '$.candidate.social', '$.candidate.experience',
            '$.candidate.locations'
        ]),
        'of_elements': list_concat(
            json_type(answer, '$.candidate.contacts[*]'),
            json_type(answer, '$.candidate.social[*]'),
            json_type(answer, '$.candidate.experience[*]'),
            json_type(answer, '$.candidate.locations[*]')
        ),
        'of_values': list_concat(
            json_type(answer, '$.candidate.contacts[*].type'),
            json_type(answer, '$.candidate.contacts[*].value'),
            json_type(answer, '$.candidate.contacts[*].rating'),
            json_type(answer, '$.candidate.contacts[*].subType'),
            json_type(answer, '$.candidate.social[*].link'),
            json_type(answer, '$.candidate.locations[*].name'),
            json_type(answer, '$.candidate.experience[*].position'),
            json_type(answer, '$.candidate.experience[*].company'),
            json_type(answer, '$.candidate.experience[*].current'),
            json_type(answer, '$.candidate.experience[*].started'),
            json_type(answer, '$.candidate.experience[*].website'),
            json_type(answer, '$.candidate.experience[*].companySize'),
            json_type(answer, '$.candidate.experience[*].staffCount'),
            json_type(answer, '$.candidate.experience[*].industry')
        )
    }],
    lambda types: case
        when coalesce(types.of_candidate, '') <> 'OBJECT' then 'the profile'
        when list_has_any(types.of_texts, ['OBJECT', 'ARRAY', 'BOOLEAN']) then 'its id or name'
        when len(list_filter(types.of_lists, lambda type: type not in ('ARRAY', 'NULL'))) > 0
            then 'one of its lists'
        when len(list_filter(types.of_elements, lambda type: type not in ('OBJECT', 'NULL'))) > 0
            then 'an entry of its lists'
        when list_has_any(types.of_values, ['OBJECT', 'ARRAY']) then 'a value in its lists'
    end
)[1];

create or replace temp view read_profiles as
with
looked_up as (
    select
        call_id, call_kind, position, answered_at, answer,
        from_json(answer, concat('{"candidate": ', signalhire_profile(), '}')).candidate as told
    from unread_answers
    where call_kind = 'lookup'
),

-- what a search gives is shorter, and has other names for the title and the place
found as (
    select
        call_id, call_kind, position, answered_at,
        from_json(answer, signalhire_profile()) as told
    from unread_answers
    where call_kind = 'search'
),

told_profiles as (
    select
        call_id, call_kind, position, answered_at, '$.candidate' as path, told,
        case when signalhire_may_be_misread(told) then signalhire_unreadable_part(answer) end
            as unreadable_part,
        told.locations[1].name as location
    from looked_up
    union all
    select
        call_id, call_kind, position, answered_at, '$' as path, told, null as unreadable_part,
        coalesce(told.location, told.locations[1].name) as location
    from found
)

select
    call_id,
    call_kind,
    position,
    answered_at,
    path,
    unreadable_part,
    told.uid as uid,
    told.fullName as full_name,
    told.headLine as headline,
    location,
    list_transform(told.social, lambda each: each.link) as profile_urls,
    list_transform(
        list_filter(told.contacts, lambda each: lower(each.type) in ('email', 'phone')),
        lambda each: {
            'kind': lower(each.type),
            'field': case
                when lower(each.type) = 'email' and lower(each.subType) = 'work' then 'work_email'
                when lower(each.type) = 'email' then 'personal_email'
                when lower(each.subType) = 'mobile' then 'mobile_phone'
                else 'direct_phone'
            end,
            'value': each.value,
            'status': signalhire_status(each.rating),
            'rating': each.rating,
            'given_type': each.type,
            'given_sub_type': each.subType
        }
    ) as contact_points,
    list_transform(
        told.experience,
        lambda each: {
            'title': case call_kind
                when 'lookup' then each.position
                else coalesce(real_text(each.title), each.position)
            end,
            'company_name': each.company,
            'company_website': each.website,
            'company_industry': each.industry,
            'company_employee_count': coalesce(each.staffCount, each.companySize),
            'started': each.started,
            'is_current': each.current
        }
    ) as positions,
    null as release
from told_profiles;
