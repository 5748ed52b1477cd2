-- Answered searches that have not been scored by these rules and values, and what they were
-- for: a changed policy, contact or account is scored anew, without asking again. Where the contact
-- that it was made for has left, or is an entry that retired, another one of the person stands for
-- it.
--
-- reads: enrichment.company_facts, enrichment.search_results, raw.search_profiles, raw.searches,
--        staging.accounts, staging.contact_parts, staging.contact_persons, staging.contacts,
--        staging.profiles
-- makes: found_jobs, found_profiles, searched_contacts

create or replace temp table searched_contacts as
with
standing as (
    select search.search_id, coalesce(min(own.contact_id), min(other.contact_id)) as contact_id
    from raw.searches as search
    left join staging.contact_persons as assigned on assigned.person_key = search.person_key
    left join staging.contacts as own
        on own.contact_id = search.contact_id and own.left_at is null
    left join staging.contacts as other
        on other.contact_id = assigned.contact_id and other.left_at is null
    where search.state = 'answered'
    group by search.search_id
),

compared as (
    select
        search.search_id,
        search.person_key,
        search.query_kind,
        search.outcome,
        search.is_complete,
        search.answered_at,
        search.run_id,
        contact.contact_id,
        coalesce(part.name_key, '') as our_name_key,
        part.company_domain as our_domain,
        real_text(contact.job_title) as our_title,
        real_text(contact.company_name) as our_company,
        account.name as account_company,
        lower(account.domain) as account_host,
        known.value as known_company,
        md5(concat_ws(
            '|', $rules, search.revision, contact.row_hash, account.row_hash
        )) as scored_by
    from raw.searches as search
    join standing on standing.search_id = search.search_id
    join staging.contacts as contact on contact.contact_id = standing.contact_id
    join staging.contact_parts as part on part.contact_id = contact.contact_id
    left join staging.accounts as account
        on account.account_id = contact.account_id and account.left_at is null
    left join enrichment.company_facts as known
        on known.company_domain = part.company_domain
        and known.field = 'name' and known.valid_to is null
)

select compared.*
from compared
left join enrichment.search_results as result on result.search_id = compared.search_id
where result.scored_by is distinct from compared.scored_by
    -- whose profiles were erased keeps its result
    and not exists (
        select 1
        from raw.search_profiles as erased
        where erased.search_id = compared.search_id and erased.profile is null
    );

create or replace temp table found_profiles as
select
    found.search_id,
    found.position,
    found.uid,
    found.profile,
    coalesce(name_key(profile.full_name), '') as their_name_key,
    profile.positions
from raw.search_profiles as found
join staging.profiles as profile
    on profile.call_id = found.search_id
    and profile.call_kind = 'search'
    and profile.position = found.position
where found.search_id in (select search_id from searched_contacts);

create or replace temp table found_jobs as
select
    search_id,
    uid,
    real_text(job.company_name) as company,
    real_text(job.title) as title,
    lower(real_text(job.company_website)) as website,
    job.is_current
from (
    select search_id, uid, unnest(positions) as job
    from found_profiles
);
