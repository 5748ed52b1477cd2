-- Turn the judged answers into facts, one row per contact, field, value and observation.

create or replace temp table new_facts as
with
accepted as (
    select * from judged_answers where judgement = 'matched'
),

ratings as (
    select
        point.contact_id,
        point.lookup_id,
        case
            when type = 'email' and sub_type = 'work' then 'work_email'
            when type = 'email' then 'personal_email'
            when type = 'phone' and sub_type = 'mobile' then 'mobile_phone'
            when type = 'phone' then 'direct_phone'
        end as field,
        case type
            when 'email' then email_address(point.value)
            else coalesce(phone.e164, point.value)
        end as value,
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

plain as (
    select contact_id, lookup_id, 'provider_uid' as field, candidate.uid as value from accepted
    union all
    select contact_id, lookup_id, 'full_name' as field, clean_text(candidate.fullName) as value
    from accepted
    union all
    select
        contact_id, lookup_id, 'location' as field,
        clean_text(candidate.locations[1].name) as value
    from accepted
    union all
    select
        contact_id, lookup_id, 'linkedin_url' as field,
        'https://www.linkedin.com/in/' || url_encode(
            linkedin_slug(
                list_filter(candidate.social, lambda s: linkedin_slug(s.link) is not null)[1].link
            )
        ) as value
    from accepted
    union all
    select contact_id, lookup_id, 'job_title' as field, clean_text(job_title) as value
    from new_positions
    union all
    select contact_id, lookup_id, 'company_name' as field, company_name as value
    from new_positions
    union all
    select contact_id, lookup_id, 'company_domain' as field, host.registrable_domain as value
    from new_positions
    join staging.hosts as host on host.host = new_positions.company_host
    where not host.is_free_mail
),

fields as (
    select
        contact_id, lookup_id, field, value, confidence, status,
        row_number() over (
            partition by contact_id, lookup_id, field
            order by
                case status when 'verified' then 0 when 'likely' then 1 else 2 end, given_order
        ) as position
    from ratings
    where field is not null and value is not null
    union all
    select
        contact_id, lookup_id, field, value, null as confidence, null as status, 1 as position
    from plain
    where value is not null
)

select
    answer.contact_id, answer.person_key, field.field, field.value, field.position,
    answer.provider, field.confidence, field.status, answer.answered_at, answer.lookup_id,
    answer.run_id
from accepted as answer
join fields as field
    on field.contact_id = answer.contact_id and field.lookup_id = answer.lookup_id
-- one value may be given twice, with two ratings: the better one stands
qualify row_number() over (
    partition by answer.contact_id, answer.lookup_id, field.field, field.value
    order by field.position
) = 1
union all
select
    contact_id, person_key, 'lookup_outcome', judgement, 1, provider,
    case when decided_judgement is not null then 'human' end,
    null, answered_at, lookup_id, run_id
from judged_answers;

insert into enrichment.person_facts (
    contact_id, person_key, field, value, position, provider, confidence, status, observed_at,
    lookup_id, run_id, valid_from, valid_to
)
select
    contact_id, person_key, field, value, position, provider, confidence, status, answered_at,
    lookup_id, run_id, answered_at, null
from new_facts;

-- what was observed later takes over from that instant on
update enrichment.person_facts as fact
set valid_to = spans.valid_to
from (
    select
        contact_id, field, lookup_id,
        lead(observed_at) over (
            partition by contact_id, provider, field order by observed_at, lookup_id
        ) as valid_to
    from (
        select distinct contact_id, provider, field, lookup_id, observed_at
        from enrichment.person_facts
        where contact_id in (select contact_id from new_facts)
    )
) as spans
where spans.contact_id = fact.contact_id
    and spans.field = fact.field
    and spans.lookup_id = fact.lookup_id
    and spans.valid_to is distinct from fact.valid_to;

-- every identifier that an accepted answer gives belongs to its person from now on,
-- unless it is somebody's already; a phone at work may be a switchboard
create or replace temp table answered_aliases as
select fact_alias(field, value) as alias, person_key, contact_id, lookup_id
from new_facts;

insert into staging.person_aliases (alias, person_key, origin, added_at)
select alias, min(person_key), 'answer', $loaded_at
from answered_aliases
where alias is not null and alias not in (select alias from staging.person_aliases)
group by alias;
