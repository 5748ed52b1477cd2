-- A batch of the pending answers, with the contact that each is for, and the parts of the
-- profile that are read.

create or replace temp table new_answers as
with profiles as (
    select
        contact.contact_id,
        response.lookup_id,
        response.provider,
        response.person_key,
        response.outcome,
        response.answered_at,
        response.run_id,
        coalesce(
            clean_text(contact.full_name),
            clean_text(
                concat_ws(' ', clean_text(contact.first_name), clean_text(contact.last_name))
            )
        ) as our_name,
        part.name_key as our_name_key,
        part.linkedin_slug as our_linkedin_slug,
        part.email as our_email,
        part.phone as our_phone,
        part.email_domain as our_email_domain,
        part.company_domain as our_company_domain,
        clean_text(contact.company_domain) is not null as has_given_company_domain,
        company_key(contact.company_name) as our_company_key,
        from_json(
            json_extract(response.answer, '$.candidate'),
            '{
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
            }'
        ) as candidate
    from raw.provider_responses as response
    join pending_answers as pending
        on pending.lookup_id = response.lookup_id and pending.batch = $batch
    join staging.contacts as contact on contact.contact_id = pending.contact_id
    join staging.contact_parts as part on part.contact_id = pending.contact_id
    where response.answered_at between $first_at and $last_at
)

select
    *,
    real_text(candidate.fullName) as their_name,
    list_transform(candidate.social, lambda each: linkedin_slug(each.link)) as their_slugs
from profiles;

create or replace temp table new_positions as
select
    contact_id,
    lookup_id,
    given_order,
    real_text(position.position) as job_title,
    real_text(position.company) as company_name,
    lower(real_text(position.website)) as company_host,
    real_text(position.industry) as industry,
    coalesce(real_text(position.staffCount), real_text(position.companySize)) as employee_count,
    coalesce(position.current, false) as is_current,
    real_text(position.started) as started
from (
    select
        contact_id,
        lookup_id,
        unnest(candidate.experience) as position,
        generate_subscripts(candidate.experience, 1) as given_order
    from new_answers
    where outcome = 'matched'
)
where position is not null;

create or replace temp table new_contact_points as
select
    contact_id,
    lookup_id,
    lower(point.type) as type,
    lower(point.subType) as sub_type,
    point.type as given_type,
    point.subType as given_sub_type,
    real_text(point.value) as value,
    email_address(point.value) as email,
    point.rating as rating,
    given_order
from (
    select
        contact_id,
        lookup_id,
        unnest(candidate.contacts) as point,
        generate_subscripts(candidate.contacts, 1) as given_order
    from new_answers
    where outcome = 'matched'
)
where real_text(point.value) is not null;
