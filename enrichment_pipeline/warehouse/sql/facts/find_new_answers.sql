-- A batch of the pending answers: the parts of each profile that are read, and the contact
-- that it is for.
--
-- reads: pending_answers, raw.provider_responses, staging.contact_parts, staging.contacts
-- makes: new_answers, new_contact_points, new_positions, new_profiles

-- Nothing else is joined here: an answer is big, and would be copied to be looked up.
create or replace temp table new_profiles as
with profiles as (
    select
        pending.answer_no,
        pending.contact_id,
        response.lookup_id,
        response.provider,
        response.person_key,
        response.outcome,
        response.answered_at,
        response.run_id,
        from_json(
            response.answer,
            '{"candidate": {
                "uid": "VARCHAR",
                "fullName": "VARCHAR",
                "locations": [{"name": "VARCHAR"}],
                "contacts": [{
                    "type": "VARCHAR", "value": "VARCHAR", "rating": "VARCHAR", "subType": "VARCHAR"
                }],
                "social": [{"type": "VARCHAR", "link": "VARCHAR"}],
                "experience": [{
                    "position": "VARCHAR", "company": "VARCHAR", "current": "BOOLEAN",
                    "started": "VARCHAR", "website": "VARCHAR",
                    "companySize": "VARCHAR", "staffCount": "VARCHAR", "industry": "VARCHAR"
                }]
            }}'
        ).candidate as candidate
    from raw.provider_responses as response
    join pending_answers as pending
        on pending.lookup_id = response.lookup_id and pending.batch = $batch
    where response.answered_at between $first_at and $last_at
)

select
    * exclude (candidate),
    candidate.uid as uid,
    real_text(candidate.fullName) as their_name,
    real_text(candidate.locations[1].name) as location,
    list_transform(candidate.social, lambda each: linkedin_slug(each.link)) as their_slugs,
    candidate.contacts as contacts,
    candidate.experience as experience,
    candidate is null
    or candidate.contacts is null
    or candidate.social is null
    or candidate.experience is null
    or candidate.locations is null
    or looks_like_json(candidate.uid)
    or looks_like_json(candidate.fullName)
    or len(list_filter(
        candidate.social, lambda each: each.link is null or looks_like_json(each.link)
    )) > 0
    or len(list_filter(
        candidate.locations, lambda each: each.name is null or looks_like_json(each.name)
    )) > 0 as may_be_misread
from profiles;

create or replace temp table new_answers as
select
    profile.* exclude (contacts, experience),
    contact.full_name as our_full_name,
    contact.first_name as our_first_name,
    contact.last_name as our_last_name,
    part.name_key as our_name_key,
    part.linkedin_slug as our_linkedin_slug,
    part.email as our_email,
    part.phone as our_phone,
    part.email_domain as our_email_domain,
    part.company_domain as our_company_domain,
    coalesce(real_text(contact.company_domain), part.account_domain) is not null
        as has_given_company_domain,
    part.company_key as our_company_key
from new_profiles as profile
join staging.contacts as contact on contact.contact_id = profile.contact_id
join staging.contact_parts as part on part.contact_id = profile.contact_id;

create or replace temp table new_positions as
with
unnested as (
    select
        answer_no,
        unnest(experience, recursive := true),
        generate_subscripts(experience, 1) as given_order
    from new_profiles
    where outcome = 'matched'
),

companies as (
    select company, real_text(company) as company_name
    from (select distinct company from unnested)
),

websites as (
    select website, lower(real_text(website)) as host
    from (select distinct website from unnested)
)

select
    unnested.answer_no,
    unnested.given_order,
    unnested.position as job_title,
    companies.company_name,
    websites.host as company_host,
    unnested.industry as industry,
    coalesce(unnested.staffCount, unnested.companySize) as employee_count,
    coalesce(unnested.current, false) as is_current,
    unnested.started as started,
    unnested.company is null
    or looks_like_json(unnested.position) or looks_like_json(unnested.company)
    or looks_like_json(unnested.started) or looks_like_json(unnested.website)
    or looks_like_json(unnested.companySize) or looks_like_json(unnested.staffCount)
    or looks_like_json(unnested.industry) as may_be_misread
from unnested
left join companies on companies.company = unnested.company
left join websites on websites.website = unnested.website;

create or replace temp table new_contact_points as
select
    answer_no,
    lower(point.type) as type,
    lower(point.subType) as sub_type,
    point.type as given_type,
    point.subType as given_sub_type,
    real_text(point.value) as value,
    case when contains(point.value, '@') then email_address(point.value) end as email,
    point.rating as rating,
    given_order,
    point.value is null
    or looks_like_json(point.type) or looks_like_json(point.value)
    or looks_like_json(point.rating) or looks_like_json(point.subType) as may_be_misread
from (
    select
        answer_no, unnest(contacts) as point, generate_subscripts(contacts, 1) as given_order
    from new_profiles
    where outcome = 'matched'
);
