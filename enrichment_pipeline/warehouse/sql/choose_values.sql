-- The value that is shown for each field of each contact, by the write rules ($rules: field
-- to overwrite, fill or never). A human's beats all; verified beats likely beats unverified;
-- within a class the newer beats the older; nothing never replaces something.

-- Positions at another employer than the newest one: who moved on takes nothing along.
create or replace temp table past_positions as
with positions as (
    select
        contact_id,
        lookup_id,
        max(observed_at) as observed_at,
        company_key(max(value) filter (field = 'company_name')) as company_key,
        max(value) filter (field = 'company_domain') as company_domain
    from enrichment.person_facts
    where field in ('company_name', 'company_domain', 'job_title')
        and provider <> 'human'
        and contact_id in (
            select contact_id from staging.read_answers group by contact_id having count(*) > 1
        )
    group by contact_id, lookup_id
),

compared as (
    select
        *,
        first_value(row(company_key, company_domain)) over (
            partition by contact_id order by observed_at desc, lookup_id
        ) as newest
    from positions
)

select contact_id, lookup_id
from compared
where not coalesce(company_domain = newest[2], company_key = newest[1], false);

create or replace temp table best_values as
with
counting as (
    select
        fact.contact_id, fact.field, fact.value, fact.status, fact.provider, fact.observed_at,
        fact.lookup_id, fact.position
    from enrichment.person_facts as fact
    left join staging.contact_persons as assigned on assigned.contact_id = fact.contact_id
    where fact.field not in ('lookup_outcome', 'outcome_detail', 'seniority')
        -- a reviewer can give values for a contact that nobody could look up
        and assigned.person_key is not distinct from fact.person_key
        and not (fact.provider = 'human' and fact.valid_to is not null)
        and not (
            fact.provider <> 'human'
            and (fact.field = 'job_title' or starts_with(fact.field, 'company_'))
            and exists (
                select 1
                from past_positions as past
                where past.contact_id = fact.contact_id and past.lookup_id = fact.lookup_id
            )
        )
),

best as (
    select
        contact_id,
        field,
        arg_min(
            { 'value': value, 'status': status, 'is_human': provider = 'human' },
            row(
                case when provider = 'human' then 0 else 1 end,
                status_rank(status),
                -epoch_us(observed_at),
                lookup_id,
                position
            )
        ) as best
    from counting
    group by contact_id, field
)

select
    contact_id,
    map(list(field), list(best)) as given
from best
group by contact_id;

-- What is known of each company, as far as it may be written and is not too old.
create or replace temp table known_companies as
select
    company_domain,
    max(value) filter (field = 'name' and $rules['company_name'] <> 'never') as name,
    max(value) filter (field = 'website' and $rules['company_website'] <> 'never') as website,
    max(value) filter (field = 'industry' and $rules['company_industry'] <> 'never')
        as industry,
    max(value) filter (
        field = 'employee_count' and $rules['company_employee_count'] <> 'never'
    ) as employee_count
from enrichment.company_facts
where valid_to is null
    and observed_at + to_days($company_max_age_days) > $as_of
group by company_domain;

create or replace temp table chosen_values as
with
sourced as (
    select
        contact.contact_id,
        coalesce(
            clean_text(contact.full_name),
            clean_text(
                concat_ws(' ', clean_text(contact.first_name), clean_text(contact.last_name))
            )
        ) as full_name,
        clean_text(contact.job_title) as job_title,
        clean_text(contact.company_name) as company_name,
        part.company_domain,
        clean_text(contact.company_domain) as company_domain_text,
        clean_text(contact.email) as email,
        clean_text(contact.phone) as phone,
        clean_text(contact.linkedin_url) as linkedin_text,
        'https://www.linkedin.com/in/' || url_encode(part.linkedin_slug) as linkedin_url,
        best.given,
        best.given['company_name'].value as their_company_name,
        best.given['company_domain'].value as their_company_domain
    from staging.contacts as contact
    left join staging.contact_parts as part on part.contact_id = contact.contact_id
    left join best_values as best on best.contact_id = contact.contact_id
    where contact.left_at is null
),

moved as (
    select
        *,
        case
            when their_company_domain = company_domain then false
            when jaro_winkler_similarity(company_key(their_company_name), company_key(company_name))
                >= $company_similarity then false
            when their_company_domain is not null and company_domain is not null then true
            when their_company_name is not null and company_name is not null then true
            else false
        end as job_changed
    from sourced
),

-- who moved on has left the old employer's fields behind
bound as (
    select
        *,
        case when not job_changed or $rules['company_name'] <> 'overwrite' then company_name end
            as own_company_name,
        case when not job_changed or $rules['company_domain'] <> 'overwrite' then company_domain end
            as own_company_domain,
        case when not job_changed or $rules['job_title'] <> 'overwrite' then job_title end
            as own_job_title
    from moved
),

written as (
    select
        contact_id,
        job_changed,
        given,
        full_name as source_full_name,
        job_title as source_job_title,
        company_name as source_company_name,
        company_domain_text as source_company_domain,
        email as source_email,
        phone as source_phone,
        linkedin_text as source_linkedin_url,
        company_domain as read_company_domain,
        ruled($rules['full_name'], given['full_name'], full_name) as full_name,
        ruled($rules['job_title'], given['job_title'], own_job_title) as job_title,
        ruled($rules['company_name'], given['company_name'], own_company_name) as company_name,
        ruled($rules['company_domain'], given['company_domain'], own_company_domain)
            as company_domain,
        ruled($rules['linkedin_url'], given['linkedin_url'], linkedin_url) as linkedin_url,
        ruled($rules['location'], given['location'], null) as location,
        ruled($rules['company_website'], given['company_website'], null) as company_website,
        ruled($rules['company_industry'], given['company_industry'], null) as company_industry,
        ruled($rules['company_employee_count'], given['company_employee_count'], null)
            as company_employee_count,
        -- what the source has is of no known kind, and never passes for the provider's
        ruled_point($rules['work_email'], given['work_email'], email) as work_email,
        ruled_point($rules['work_email'], given['work_email'], null) as known_work_email,
        ruled_point($rules['personal_email'], given['personal_email'], email) as personal_email,
        ruled_point($rules['personal_email'], given['personal_email'], null)
            as known_personal_email,
        ruled_point($rules['direct_phone'], given['direct_phone'], phone) as direct_phone,
        ruled_point($rules['direct_phone'], given['direct_phone'], null) as known_direct_phone,
        ruled_point($rules['mobile_phone'], given['mobile_phone'], phone) as mobile_phone,
        ruled_point($rules['mobile_phone'], given['mobile_phone'], null) as known_mobile_phone
    from bound
)

select
    chosen.contact_id,
    chosen.given is not null as has_values,
    chosen.job_changed,
    chosen.full_name,
    chosen.job_title,
    seniority_of(chosen.job_title) as seniority,
    coalesce(chosen.company_name, company.name) as company_name,
    chosen.company_domain,
    coalesce(chosen.company_website, company.website) as company_website,
    coalesce(chosen.company_industry, company.industry) as company_industry,
    coalesce(chosen.company_employee_count, company.employee_count) as company_employee_count,
    (chosen.company_name is null and company.name is not null)
    or (chosen.company_website is null and company.website is not null)
    or (chosen.company_industry is null and company.industry is not null)
    or (chosen.company_employee_count is null and company.employee_count is not null)
        as has_colleagues_values,
    chosen.work_email.value as work_email,
    chosen.work_email.status as work_email_status,
    chosen.personal_email.value as personal_email,
    chosen.personal_email.status as personal_email_status,
    chosen.direct_phone.value as direct_phone,
    chosen.direct_phone.status as direct_phone_status,
    chosen.mobile_phone.value as mobile_phone,
    chosen.mobile_phone.status as mobile_phone_status,
    chosen.linkedin_url,
    chosen.location,
    chosen.given['provider_uid'].value as provider_uid,
    case when chosen.job_changed then chosen.source_company_name end as previous_company_name,
    case when chosen.job_changed then chosen.read_company_domain end as previous_company_domain,
    case when chosen.job_changed then chosen.source_job_title end as previous_job_title,
    chosen.source_full_name,
    chosen.source_job_title,
    chosen.source_company_name,
    chosen.source_company_domain,
    chosen.source_email,
    chosen.source_phone,
    chosen.source_linkedin_url,
    -- what the policy asks for is judged by all that is known and may be written
    [
        { 'field': 'work_email', 'kind': 'email', 'status': chosen.known_work_email.status },
        {
            'field': 'personal_email', 'kind': 'email', 'status': chosen.known_personal_email.status
        },
        { 'field': 'direct_phone', 'kind': 'phone', 'status': chosen.known_direct_phone.status },
        { 'field': 'mobile_phone', 'kind': 'phone', 'status': chosen.known_mobile_phone.status }
    ] as known_points
from written as chosen
left join known_companies as company on company.company_domain = chosen.company_domain;
