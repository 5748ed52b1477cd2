-- A batch of the pending answers, with the contact that each is for, and the parts of the
-- profile that are read.

create or replace temp table new_answers as
with
our_companies as (
    select company_name, company_key(company_name) as company_key
    from (
        select distinct contact.company_name
        from staging.contacts as contact
        where contact.contact_id in (select contact_id from pending_answers where batch = $batch)
    )
),

profiles as (
    select
        contact.contact_id,
        response.lookup_id,
        response.provider,
        response.person_key,
        response.outcome,
        response.answered_at,
        response.run_id,
        contact.full_name as our_full_name,
        contact.first_name as our_first_name,
        contact.last_name as our_last_name,
        part.name_key as our_name_key,
        part.linkedin_slug as our_linkedin_slug,
        part.email as our_email,
        part.phone as our_phone,
        part.email_domain as our_email_domain,
        part.company_domain as our_company_domain,
        clean_text(contact.company_domain) is not null as has_given_company_domain,
        keyed.company_key as our_company_key,
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
    join staging.contacts as contact on contact.contact_id = pending.contact_id
    join staging.contact_parts as part on part.contact_id = pending.contact_id
    left join our_companies as keyed on keyed.company_name = contact.company_name
    where response.answered_at between $first_at and $last_at
)

select
    *,
    real_text(candidate.fullName) as their_name,
    list_transform(candidate.social, lambda each: linkedin_slug(each.link)) as their_slugs
from profiles;

create or replace temp table new_positions as
with
unnested as (
    select
        contact_id,
        lookup_id,
        unnest(candidate.experience, recursive := true),
        generate_subscripts(candidate.experience, 1) as given_order
    from new_answers
    where outcome = 'matched'
),

companies as (
    select company, company_key(company) as company_key
    from (select distinct company from unnested)
),

websites as (
    select website, lower(real_text(website)) as host
    from (select distinct website from unnested)
)

select
    unnested.contact_id,
    unnested.lookup_id,
    unnested.given_order,
    unnested.position as job_title,
    unnested.company as company_name,
    companies.company_key,
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
    contact_id,
    lookup_id,
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
        contact_id,
        lookup_id,
        unnest(candidate.contacts) as point,
        generate_subscripts(candidate.contacts, 1) as given_order
    from new_answers
    where outcome = 'matched'
);
