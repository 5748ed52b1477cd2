-- The value that is shown for each field of each contact, by the write rules ($rules: field
-- to overwrite, fill or never). A human's beats all; verified beats likely beats unverified;
-- within a class the newer beats the older; an empty value never overwrites a known one,
-- and a shorter form of a name (A. Example) never the fuller one. What is known of a company
-- fills a field only while it is not too old. The id of the profile is the one of whichever
-- provider's answer was accepted last.
--
-- reads: enrichment.company_facts, enrichment.person_facts, raw.review_decisions,
--        staging.agreed_addresses, staging.checked_addresses, staging.checked_judgements,
--        staging.company_names, staging.contact_parts, staging.contact_persons, staging.contacts,
--        staging.judgements, staging.told_changes
-- makes: best_values, chosen_values, contested_contacts, disputed_employers, known_companies,
--        past_positions

-- Positions at another employer than the newest one: who moved on takes nothing along.
create or replace temp table past_positions as
with positions as (
    select
        judged.contact_id,
        judged.lookup_id,
        judged.answered_at as observed_at,
        company.company_key,
        judged.company_domain
    from staging.judgements as judged
    left join staging.company_names as company on company.company_name = judged.company_name
    where coalesce(judged.company_name, judged.company_domain, judged.job_title) is not null
        and judged.contact_id in (
            select contact_id from staging.judgements group by contact_id having count(*) > 1
        )
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

-- Who names another employer than the newest answer does, of two providers that were asked lately:
-- one of them is behind.
create or replace temp table disputed_employers as
with newest as (
    select contact_id, provider, lookup_id, answered_at
    from staging.judgements
    where judgement = 'matched' and contact_id in (select contact_id from past_positions)
    qualify row_number() over (
        partition by contact_id, provider order by answered_at desc, lookup_id
    ) = 1
)

select newest.contact_id, list_sort(list(newest.provider)) as providers
from newest
join past_positions as past
    on past.contact_id = newest.contact_id and past.lookup_id = newest.lookup_id
left join staging.told_changes as told on told.lookup_id = newest.lookup_id
where expiry(newest.answered_at, told, $max_age_days) > $as_of
group by newest.contact_id;

-- Of one answer the first of each field is the best; only between several is there a choice.
create or replace temp table contested_contacts as
select contact_id from staging.judgements group by contact_id having count(*) > 1
union
select contact_id from raw.review_decisions where decision = 'replace';

create or replace temp table best_values as
with
rated as (
    select
        fact.* exclude (status),
        -- what is said of an address last counts, wherever it stood before
        first_value(fact.status) over (
            partition by fact.contact_id, fact.provider, fact.value, fact.status is null
            order by fact.observed_at desc, fact.lookup_id, status_rank(fact.status)
        ) as status
    from enrichment.person_facts as fact
    semi join contested_contacts as contested on contested.contact_id = fact.contact_id
    left join staging.contact_persons as assigned on assigned.contact_id = fact.contact_id
    -- a reviewer can give values for a contact that could not be looked up
    where assigned.person_key is not distinct from fact.person_key
),

shorter_names as (
    select distinct fact.contact_id, fact.lookup_id
    from rated as fact
    join rated as fuller
        on fuller.contact_id = fact.contact_id and fuller.lookup_id <> fact.lookup_id
    where fact.field = 'full_name' and fact.provider <> 'human'
        and fuller.field = 'full_name' and fuller.provider <> 'human'
        and fact.value <> fuller.value
        and is_shorter_name(name_key(fact.value), name_key(fuller.value))
),

newest_answers as (
    select
        contact_id,
        arg_min(provider, (-epoch_us(answered_at), lookup_id)) as provider
    from staging.judgements
    where judgement = 'matched'
    group by contact_id
),

contested as (
    select fact.contact_id, fact.field, fact.value, fact.status, fact.provider = 'human' as is_human
    from rated as fact
    left join past_positions as past
        on past.contact_id = fact.contact_id and past.lookup_id = fact.lookup_id
    left join shorter_names as shorter
        on shorter.contact_id = fact.contact_id and shorter.lookup_id = fact.lookup_id
        and fact.field = 'full_name'
    left join newest_answers as newest on newest.contact_id = fact.contact_id
    where fact.position = 1
        and shorter.contact_id is null
        and not (fact.field = 'provider_uid' and fact.provider <> newest.provider)
        and not (fact.provider = 'human' and fact.valid_to is not null)
        and not (
            past.contact_id is not null
            and fact.provider <> 'human'
            and (
                fact.field in ('job_title', 'work_email', 'direct_phone')
                or starts_with(fact.field, 'company_')
            )
        )
    qualify row_number() over (
        partition by fact.contact_id, fact.field
        order by
            fact.provider = 'human' desc, status_rank(fact.status), fact.observed_at desc,
            fact.lookup_id
    ) = 1
),

-- the first of each field of the only answer, as it stands
uncontested as (
    select
        judged.*,
        best_point(points, 'work_email') as work_email,
        best_point(points, 'personal_email') as personal_email,
        best_point(points, 'direct_phone') as direct_phone,
        best_point(points, 'mobile_phone') as mobile_phone
    from staging.checked_judgements as judged
    semi join staging.contact_persons as assigned
        on assigned.contact_id = judged.contact_id and assigned.person_key = judged.person_key
    anti join contested_contacts as contested on contested.contact_id = judged.contact_id
    where judged.judgement = 'matched'
)

select
    contact_id,
    any_value(value) filter (field = 'full_name') as their_full_name,
    any_value(value) filter (field = 'job_title') as their_job_title,
    any_value(value) filter (field = 'company_name') as their_company_name,
    any_value(value) filter (field = 'company_domain') as their_company_domain,
    any_value(value) filter (field = 'company_website') as their_company_website,
    any_value(value) filter (field = 'company_industry') as their_company_industry,
    any_value(value) filter (field = 'company_employee_count') as their_company_employee_count,
    any_value(value) filter (field = 'linkedin_url') as their_linkedin_url,
    any_value(value) filter (field = 'location') as their_location,
    any_value(value) filter (field = 'provider_uid') as their_provider_uid,
    any_value(value) filter (field = 'work_email') as their_work_email,
    any_value(status) filter (field = 'work_email') as their_work_email_status,
    any_value(value) filter (field = 'personal_email') as their_personal_email,
    any_value(status) filter (field = 'personal_email') as their_personal_email_status,
    any_value(value) filter (field = 'direct_phone') as their_direct_phone,
    any_value(status) filter (field = 'direct_phone') as their_direct_phone_status,
    any_value(value) filter (field = 'mobile_phone') as their_mobile_phone,
    any_value(status) filter (field = 'mobile_phone') as their_mobile_phone_status,
    list(field) filter (is_human) as human_fields
from contested
where field not in ('lookup_outcome', 'outcome_detail', 'seniority')
group by contact_id
union all
select
    contact_id,
    full_name,
    job_title,
    company_name,
    company_domain,
    company_website,
    company_industry,
    company_employee_count,
    linkedin_url,
    location,
    provider_uid,
    work_email.value,
    work_email.status,
    personal_email.value,
    personal_email.status,
    direct_phone.value,
    direct_phone.status,
    mobile_phone.value,
    mobile_phone.status,
    null
from uncontested
where len(points) > 0
    or coalesce(
        provider_uid, full_name, location, linkedin_url, job_title, company_name, company_domain,
        company_website, company_industry, company_employee_count
    ) is not null;

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
        written_name(contact.full_name, contact.first_name, contact.last_name) as full_name,
        real_text(contact.job_title) as job_title,
        coalesce(real_text(contact.company_name), part.account_name) as company_name,
        real_text(contact.company_name) as company_name_text,
        part.name_key,
        part.company_domain,
        real_text(contact.company_domain) as company_domain_text,
        coalesce(real_text(contact.company_domain), part.account_domain)
            as company_domain_as_given,
        real_text(contact.email) as source_email,
        case when withdrawn.email is null then source_email end as email,
        real_text(contact.phone) as phone,
        real_text(contact.linkedin_url) as linkedin_text,
        'https://www.linkedin.com/in/' || url_encode(part.linkedin_slug) as linkedin_url,
        part.company_key,
        their_company.company_key as their_company_key,
        best.* exclude (contact_id, human_fields),
        best.contact_id is not null as has_values,
        coalesce(best.human_fields, []) as human_fields
    from staging.contacts as contact
    left join staging.contact_parts as part on part.contact_id = contact.contact_id
    left join staging.checked_addresses as withdrawn
        on withdrawn.email = part.email and withdrawn.status = 'withdrawn'
    left join best_values as best on best.contact_id = contact.contact_id
    left join staging.company_names as their_company
        on their_company.company_name = best.their_company_name
    where contact.left_at is null
),

moved as (
    select
        *,
        case
            when their_company_domain = company_domain then false
            when their_company_key <> '' and company_key <> ''
                and jaro_winkler_similarity(their_company_key, company_key) >= $company_similarity
                then false
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
            as own_job_title,
        case
            when their_full_name = full_name or list_contains(human_fields, 'full_name')
                then their_full_name
            when coalesce(is_shorter_name(name_key(their_full_name), name_key), false)
                then full_name
            else their_full_name
        end as fuller_full_name
    from moved
),

written as (
    select
        contact_id,
        job_changed,
        has_values,
        their_provider_uid,
        full_name as source_full_name,
        job_title as source_job_title,
        company_name as our_company_name,
        company_domain_as_given as our_company_domain,
        company_name_text as source_company_name,
        company_domain_text as source_company_domain,
        source_email,
        phone as source_phone,
        linkedin_text as source_linkedin_url,
        company_domain as read_company_domain,
        ruled('full_name', $rules['full_name'], fuller_full_name, human_fields, full_name)
            as full_name,
        ruled('job_title', $rules['job_title'], their_job_title, human_fields, own_job_title)
            as job_title,
        ruled(
            'company_name', $rules['company_name'], their_company_name,
            human_fields, own_company_name
        ) as company_name,
        ruled(
            'company_domain', $rules['company_domain'], their_company_domain,
            human_fields, own_company_domain
        ) as company_domain,
        ruled(
            'linkedin_url', $rules['linkedin_url'], their_linkedin_url, human_fields, linkedin_url
        ) as linkedin_url,
        ruled('location', $rules['location'], their_location, human_fields, null) as location,
        ruled(
            'company_website', $rules['company_website'], their_company_website, human_fields, null
        ) as company_website,
        ruled(
            'company_industry', $rules['company_industry'], their_company_industry,
            human_fields, null
        ) as company_industry,
        ruled(
            'company_employee_count', $rules['company_employee_count'],
            their_company_employee_count, human_fields, null
        ) as company_employee_count,
        -- what the source has is of no known kind, and never passes for the provider's
        allowed(
            'work_email', $rules['work_email'], human_fields, email, their_work_email
        ) as work_email,
        allowed(
            'work_email', $rules['work_email'], human_fields, email, their_work_email_status
        ) as work_email_status,
        allowed(
            'work_email', $rules['work_email'], human_fields, null, their_work_email_status
        ) as known_work_email_status,
        allowed(
            'personal_email', $rules['personal_email'], human_fields, email, their_personal_email
        ) as personal_email,
        allowed(
            'personal_email', $rules['personal_email'], human_fields,
            email, their_personal_email_status
        ) as personal_email_status,
        allowed(
            'personal_email', $rules['personal_email'], human_fields,
            null, their_personal_email_status
        ) as known_personal_email_status,
        allowed(
            'direct_phone', $rules['direct_phone'], human_fields, phone, their_direct_phone
        ) as direct_phone,
        allowed(
            'direct_phone', $rules['direct_phone'], human_fields, phone, their_direct_phone_status
        ) as direct_phone_status,
        allowed(
            'direct_phone', $rules['direct_phone'], human_fields, null, their_direct_phone_status
        ) as known_direct_phone_status,
        allowed(
            'mobile_phone', $rules['mobile_phone'], human_fields, phone, their_mobile_phone
        ) as mobile_phone,
        allowed(
            'mobile_phone', $rules['mobile_phone'], human_fields, phone, their_mobile_phone_status
        ) as mobile_phone_status,
        allowed(
            'mobile_phone', $rules['mobile_phone'], human_fields, null, their_mobile_phone_status
        ) as known_mobile_phone_status
    from bound
),

titles as (
    select job_title, seniority_of(job_title) as seniority
    from (select distinct job_title from written)
)

select
    chosen.contact_id,
    chosen.has_values,
    chosen.job_changed,
    chosen.full_name,
    chosen.job_title,
    titles.seniority,
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
    chosen.work_email,
    chosen.work_email_status,
    chosen.personal_email,
    chosen.personal_email_status,
    chosen.direct_phone,
    chosen.direct_phone_status,
    chosen.mobile_phone,
    chosen.mobile_phone_status,
    chosen.linkedin_url,
    chosen.location,
    chosen.their_provider_uid as provider_uid,
    case when chosen.job_changed then chosen.our_company_name end as previous_company_name,
    case when chosen.job_changed then chosen.read_company_domain end as previous_company_domain,
    case when chosen.job_changed then chosen.source_job_title end as previous_job_title,
    chosen.our_company_name,
    chosen.our_company_domain,
    chosen.source_full_name,
    chosen.source_job_title,
    chosen.source_company_name,
    chosen.source_company_domain,
    chosen.source_email,
    chosen.source_phone,
    chosen.source_linkedin_url,
    array_to_string(coalesce(agreed_work.providers, agreed_personal.providers), ', ') as agreed_by,
    array_to_string(disputed.providers, ', ') as employer_disputed_by,
    -- what the policy asks for is judged by all that is known and may be written
    [
        {
            'field': 'work_email', 'kind': 'email', 'status': chosen.known_work_email_status,
            'value': chosen.work_email, 'is_agreed': agreed_work.contact_id is not null
        },
        {
            'field': 'personal_email', 'kind': 'email',
            'status': chosen.known_personal_email_status, 'value': chosen.personal_email,
            'is_agreed': agreed_personal.contact_id is not null
        },
        {
            'field': 'direct_phone', 'kind': 'phone', 'status': chosen.known_direct_phone_status,
            'value': chosen.direct_phone, 'is_agreed': false
        },
        {
            'field': 'mobile_phone', 'kind': 'phone', 'status': chosen.known_mobile_phone_status,
            'value': chosen.mobile_phone, 'is_agreed': false
        }
    ] as known_points
from written as chosen
left join known_companies as company on company.company_domain = chosen.company_domain
left join titles on titles.job_title = chosen.job_title
left join staging.agreed_addresses as agreed_work
    on agreed_work.contact_id = chosen.contact_id and agreed_work.email = chosen.work_email
left join staging.agreed_addresses as agreed_personal
    on agreed_personal.contact_id = chosen.contact_id
    and agreed_personal.email = chosen.personal_email
left join disputed_employers as disputed on disputed.contact_id = chosen.contact_id;
