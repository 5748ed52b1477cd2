-- A batch of the pending answers: what each profile says, and the contact that it is for.
--
-- reads: pending_answers, staging.contact_parts, staging.contacts, staging.profiles
-- makes: new_answers, new_contact_points, new_positions, new_profiles

create or replace temp table new_answers as
with batch as (
    select * from pending_answers where batch = $batch
),

told as (
    select
        call_id,
        uid,
        real_text(full_name) as their_name,
        real_text(location) as location,
        list_transform(profile_urls, lambda url: linkedin_slug(url)) as their_slugs,
        unreadable_part
    from staging.profiles
    where call_kind = 'lookup' and answered_at between $first_at and $last_at
)

select
    batch.answer_no,
    batch.contact_id,
    batch.lookup_id,
    batch.provider,
    batch.person_key,
    batch.outcome,
    batch.answered_at,
    batch.run_id,
    told.* exclude (call_id, unreadable_part),
    -- an answer that no provider's file has read tells of a person, but not yet what
    case when told.call_id is null then 'the profile' else told.unreadable_part end
        as unreadable_part,
    contact.full_name as our_full_name,
    contact.first_name as our_first_name,
    contact.last_name as our_last_name,
    contact.job_title as our_job_title,
    part.name_key as our_name_key,
    part.linkedin_slug as our_linkedin_slug,
    part.email as our_email,
    part.phone as our_phone,
    part.email_domain as our_email_domain,
    part.company_domain as our_company_domain,
    coalesce(real_text(contact.company_domain), part.account_domain) is not null
        as has_given_company_domain,
    part.company_key as our_company_key
from batch
join staging.contacts as contact on contact.contact_id = batch.contact_id
join staging.contact_parts as part on part.contact_id = batch.contact_id
left join told on told.call_id = batch.lookup_id;

-- The lists are taken from where they are stored: they are big, and would be copied.
create or replace temp view new_profiles as
select
    pending.answer_no, pending.batch, profile.answered_at, profile.positions,
    profile.contact_points
from staging.profiles as profile
join pending_answers as pending
    on pending.lookup_id = profile.call_id and profile.call_kind = 'lookup';

create or replace temp table new_positions as
with
unnested as (
    select
        answer_no,
        unnest(positions, recursive := true),
        generate_subscripts(positions, 1) as given_order
    from new_profiles
    where batch = $batch and answered_at between $first_at and $last_at
),

companies as (
    select given_name, real_text(given_name) as company_name
    from (select distinct company_name as given_name from unnested)
),

websites as (
    select company_website, lower(real_text(company_website)) as host
    from (select distinct company_website from unnested)
)

select
    unnested.answer_no,
    unnested.given_order,
    unnested.title as job_title,
    companies.company_name,
    websites.host as company_host,
    unnested.company_industry as industry,
    unnested.company_employee_count as employee_count,
    coalesce(unnested.is_current, false) as is_current,
    unnested.started
from unnested
left join companies on companies.given_name = unnested.company_name
left join websites on websites.company_website = unnested.company_website;

create or replace temp table new_contact_points as
select
    answer_no,
    point.kind,
    point.field,
    point.given_type,
    point.given_sub_type,
    real_text(point.value) as value,
    case when contains(point.value, '@') then email_address(point.value) end as email,
    point.rating,
    point.status,
    given_order
from (
    select
        answer_no, unnest(contact_points) as point,
        generate_subscripts(contact_points, 1) as given_order
    from new_profiles
    where batch = $batch and answered_at between $first_at and $last_at
);
