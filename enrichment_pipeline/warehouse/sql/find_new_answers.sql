-- Answers that have not yet become facts of every contact of their person: those that
-- just came, and old ones of a person of whom another contact has turned up.

create or replace temp table new_answers as
select
    contact.contact_id,
    response.lookup_id,
    response.provider,
    response.person_key,
    response.outcome,
    response.answered_at,
    response.run_id,
    part.name_key as our_name_key,
    part.company_domain as our_company_domain,
    contact.company_name as our_company_name,
    from_json(
        json_extract(response.answer, '$.candidate'),
        '{
            "uid": "VARCHAR",
            "fullName": "VARCHAR",
            "headLine": "VARCHAR",
            "locations": [{"name": "VARCHAR"}],
            "contacts": [{
                "type": "VARCHAR", "value": "VARCHAR", "rating": "VARCHAR", "subType": "VARCHAR"
            }],
            "social": [{"type": "VARCHAR", "link": "VARCHAR"}],
            "experience": [{
                "position": "VARCHAR", "company": "VARCHAR", "current": "BOOLEAN",
                "started": "VARCHAR", "ended": "VARCHAR", "website": "VARCHAR",
                "companySize": "VARCHAR", "staffCount": "VARCHAR", "industry": "VARCHAR"
            }]
        }'
    ) as candidate
from raw.provider_responses as response
join staging.contact_persons as assigned on assigned.person_key = response.person_key
join staging.contacts as contact
    on contact.contact_id = assigned.contact_id and contact.left_at is null
join staging.contact_parts as part on part.contact_id = contact.contact_id
where not exists (
    select 1
    from enrichment.person_facts as fact
    where fact.contact_id = contact.contact_id
        and fact.lookup_id = response.lookup_id
        and fact.field = 'lookup_outcome'
);

-- the position that counts: a current one, the latest started of several
create or replace temp table new_positions as
select
    contact_id,
    lookup_id,
    position.position as job_title,
    clean_text(position.company) as company_name,
    lower(clean_text(position.website)) as company_host,
    position.industry as industry,
    coalesce(position.staffCount, position.companySize) as employee_count
from (
    select contact_id, lookup_id, unnest(candidate.experience) as position
    from new_answers
    where outcome = 'matched'
)
where position.current
qualify row_number() over (
    partition by contact_id, lookup_id
    order by position.started desc nulls last, position.company
) = 1;

create or replace temp table new_contact_points as
select
    contact_id,
    lookup_id,
    lower(point.type) as type,
    lower(point.subType) as sub_type,
    clean_text(point.value) as value,
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
where clean_text(point.value) is not null;
