-- Erase what $provider answered before $before, but for what is shown of it now.
--
-- Gone are the raw answers, profiles that searches gave, the contents of the common profile, and
-- of each judgement the values that are not shown; with them the history in person_facts and
-- company_facts. What stays of a judgement is a value that stands in enriched_contacts, where no
-- newer answer of the provider gives the same; the job and the employer, of the newest accepted
-- answer and of any of which something is shown, since these tell that other values are of before;
-- what company_facts shows of the employer; and the word whether the answer was accepted. A
-- judgement that was cut down is never derived anew. The id of a profile stays, by which a
-- reviewer's decision and an opt-out go on to hold.
--
-- reads: enrichment.company_facts, enrichment.enriched_contacts, raw.provider_responses,
--        raw.searches, staging.judgements
-- makes: enrichment.company_facts, expired_answers, kept_points, raw.provider_responses,
--        raw.search_profiles, raw.verifications, reduced_judgements, staging.judgements,
--        staging.profiles

create or replace temp table expired_answers as
select lookup_id
from raw.provider_responses
where provider = $provider
    and answered_at < $before
    and outcome = 'matched'
    and is_erased is not true;

create or replace temp table kept_points as
with given as (
    select contact_id, lookup_id, provider, answered_at, unnest(points) as point
    from staging.judgements
    where judgement = 'matched'
        and provider = $provider
),

shown as (
    select given.*
    from given
    join enrichment.enriched_contacts as best on best.contact_id = given.contact_id
    where list_contains(
        [best.work_email, best.personal_email, best.direct_phone, best.mobile_phone],
        given.point.value
    )
    qualify row_number() over (
        partition by given.contact_id, given.point.field, given.point.value
        order by given.answered_at desc, given.lookup_id
    ) = 1
),

placed as (
    select
        contact_id,
        lookup_id,
        point,
        cast(row_number() over (
            partition by contact_id, lookup_id, point.field
            order by status_rank(point.status), point.position
        ) as integer) as position
    from shown
)

select
    contact_id,
    lookup_id,
    list({
        'field': point.field, 'value': point.value, 'position': position,
        'given_type': point.given_type, 'given_sub_type': point.given_sub_type,
        'confidence': point.confidence, 'status': point.status
    }) as points
from placed
group by contact_id, lookup_id;

create or replace temp table reduced_judgements as
with newest as (
    select contact_id, arg_min(lookup_id, (-epoch_us(answered_at), lookup_id)) as lookup_id
    from staging.judgements
    where judgement = 'matched'
    group by contact_id
),

told as (
    select lookup_id, list(field) as fields
    from enrichment.company_facts
    where valid_to is null
    group by lookup_id
),

compared as (
    select
        judged.*,
        kept.points as kept_points,
        coalesce(told.fields, []) as told_fields,
        case when judged.full_name = best.full_name then judged.full_name end as shown_name,
        case when judged.location = best.location then judged.location end as shown_location,
        case when judged.linkedin_url = best.linkedin_url then judged.linkedin_url end as shown_url,
        newest.contact_id is not null
        or len(kept.points) > 0
        or coalesce(shown_name, shown_location, shown_url) is not null
        or len(told_fields) > 0
        or judged.job_title = best.job_title as is_shown,
        best.company_domain = judged.company_domain as is_shown_employer,
        best.company_website,
        best.company_industry,
        best.company_employee_count
    from (
        select * exclude (company_website, company_industry, company_employee_count),
            company_website as their_website, company_industry as their_industry,
            company_employee_count as their_count
        from staging.judgements
        where lookup_id in (select lookup_id from expired_answers)
    ) as judged
    left join enrichment.enriched_contacts as best on best.contact_id = judged.contact_id
    left join kept_points as kept
        on kept.contact_id = judged.contact_id and kept.lookup_id = judged.lookup_id
    left join newest
        on newest.contact_id = judged.contact_id and newest.lookup_id = judged.lookup_id
    left join told on told.lookup_id = judged.lookup_id
)

select
    contact_id, lookup_id, basis, person_key, provider, answered_at, run_id, judgement, is_decided,
    detail, provider_uid,
    shown_name as full_name,
    shown_location as location,
    shown_url as linkedin_url,
    case when is_shown then job_title end as job_title,
    case when is_shown then seniority end as seniority,
    case when is_shown then company_name end as company_name,
    case when is_shown then company_domain end as company_domain,
    case
        when list_contains(told_fields, 'website')
            or (is_shown_employer and their_website = company_website) then their_website
    end as company_website,
    case
        when list_contains(told_fields, 'industry')
            or (is_shown_employer and their_industry = company_industry) then their_industry
    end as company_industry,
    case
        when list_contains(told_fields, 'employee_count')
            or (is_shown_employer and their_count = company_employee_count) then their_count
    end as company_employee_count,
    kept_points as points,
    closed
from compared;

delete from staging.judgements
where lookup_id in (select lookup_id from expired_answers);

insert into staging.judgements by name
select * from reduced_judgements;

delete from enrichment.company_facts
where valid_to is not null
    and lookup_id in (select lookup_id from expired_answers);

update staging.profiles
set
    full_name = null,
    headline = null,
    location = null,
    profile_urls = null,
    contact_points = null,
    positions = null
where call_kind = 'lookup'
    and call_id in (select lookup_id from expired_answers);

delete from staging.profiles
where call_kind = 'search'
    and call_id in (
        select search_id from raw.searches where provider = $provider and answered_at < $before
    );

update raw.search_profiles
set profile = null
where profile is not null
    and search_id in (
        select search_id from raw.searches where provider = $provider and answered_at < $before
    );

update raw.verifications
set answer = ''
where provider = $provider and answered_at < $before and answer <> '';

update raw.provider_responses
set is_erased = true
where lookup_id in (select lookup_id from expired_answers);

update raw.provider_responses
set answer = null
where provider = $provider and answered_at < $before and answer is not null;
