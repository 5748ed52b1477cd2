-- How much speaks for each found profile: name, company and title, compared with the contact.
-- `searched_contacts`, `found_profiles` and `found_jobs` must have been made, and their names,
-- companies and hosts be known in `staging`.
--
-- reads: found_jobs, found_profiles, searched_contacts, staging.company_names, staging.hosts,
--        staging.latin_names
-- makes: our_companies, our_domains, scored_jobs, scored_profiles

-- How alike two names are. Equal ones, then those that differ by further names only, then by
-- nickname or spelling, then by an initial; 0 for names that are not alike.
create or replace temp macro name_score(one, other) as case
    when one = '' or other = '' then 0.0
    when one = other then 1.0
    when not names_alike(one, other) then 0.0
    when len(words_besides(one, other)) = 0 or len(words_besides(other, one)) = 0 then 0.94
    when len(list_filter(
        list_concat(words_besides(one, other), words_besides(other, one)),
        lambda word: length(word) = 1
    )) > 0 then 0.8
    else 0.9
end;

-- Of words that are written together or apart.
create or replace temp macro in_one_word(value) as replace(value, ' ', '');

-- How alike two company keys are: the same, alike in spelling from $company_similarity on,
-- or one within the other, as a parent and its subsidiary are; else 0.
create or replace temp macro spelling_score(one, other) as
    1 - levenshtein(in_one_word(one), in_one_word(other))
    / greatest(length(in_one_word(one)), length(in_one_word(other)), 1);

create or replace temp macro company_score(one, other, least_similarity) as case
    when coalesce(one, '') = '' or coalesce(other, '') = '' then 0.0
    when one = other then 1.0
    when in_one_word(one) = in_one_word(other) then 0.98
    when spelling_score(one, other) >= least_similarity and length(in_one_word(one)) > 4
        then spelling_score(one, other)
    when len(words_besides(one, other)) = 0 or len(words_besides(other, one)) = 0 then 0.72
    else 0.0
end;

create or replace temp macro domain_label(value) as
    regexp_replace(split_part(coalesce(value, ''), '.', 1), '[^a-z0-9]', '', 'g');

-- How alike two titles are: the share of their words that they have in common.
create or replace temp macro title_score(one, other) as
    len(list_intersect(string_split(one, ' '), string_split(other, ' ')))
    / len(list_distinct(list_concat(string_split(one, ' '), string_split(other, ' '))));

create or replace temp table our_companies as
with named as (
    select search_id, our_company as company_name from searched_contacts
    union
    select search_id, account_company as company_name from searched_contacts
    union
    select search_id, known_company as company_name from searched_contacts
)

select named.search_id, company.company_key
from named
join staging.company_names as company on company.company_name = named.company_name
where company.company_key <> '';

create or replace temp table our_domains as
select search_id, our_domain as domain from searched_contacts
where our_domain is not null
union
select searched.search_id, host.registrable_domain
from searched_contacts as searched
join staging.hosts as host on host.host = searched.account_host
where host.registrable_domain is not null and not host.is_free_mail and not host.is_disposable;

create or replace temp table scored_jobs as
with
by_name as (
    select job.search_id, job.uid, job.company, max(
        company_score(ours.company_key, theirs.company_key, $company_similarity)
    ) as score
    from (select distinct search_id, uid, company from found_jobs) as job
    join staging.company_names as theirs on theirs.company_name = job.company
    join our_companies as ours on ours.search_id = job.search_id
    group by job.search_id, job.uid, job.company
),

by_domain as (
    select
        job.search_id, job.uid, job.company, job.website,
        max(case
            when ours.domain = host.registrable_domain then 1.0
            when $same_domain = 'label' and length(domain_label(ours.domain)) > 3
                and domain_label(ours.domain) = domain_label(host.registrable_domain) then 0.96
            when length(domain_label(ours.domain)) > 3
                and domain_label(ours.domain) = in_one_word(theirs.company_key) then 0.92
            else 0.0
        end) as score,
        bool_and(
            host.registrable_domain is not null
            and domain_label(ours.domain) <> domain_label(host.registrable_domain)
        ) as is_elsewhere
    from (select distinct search_id, uid, company, website from found_jobs) as job
    join our_domains as ours on ours.search_id = job.search_id
    left join staging.hosts as host on host.host = job.website
    left join staging.company_names as theirs on theirs.company_name = job.company
    group by job.search_id, job.uid, job.company, job.website
),

scored as (
    select
        job.search_id,
        job.uid,
        job.company,
        job.title,
        -- a namesake of the company has another domain
        case
            when coalesce(by_domain.is_elsewhere, false) then least(by_name.score, 0.8)
            else greatest(coalesce(by_name.score, 0), coalesce(by_domain.score, 0))
        end as company_score,
        case
            when job.is_current then 1.0
            when job.is_current = false then 0.95
            when searched.query_kind = 'current' then 1.0
            else 0.95
        end as tenure_score,
        case
            when name_key(job.title) <> '' and name_key(searched.our_title) <> ''
                then title_score(name_key(job.title), name_key(searched.our_title))
        end as title_score
    from found_jobs as job
    join searched_contacts as searched on searched.search_id = job.search_id
    left join by_name
        on by_name.search_id = job.search_id and by_name.uid = job.uid
        and by_name.company = job.company
    left join by_domain
        on by_domain.search_id = job.search_id and by_domain.uid = job.uid
        and by_domain.company is not distinct from job.company
        and by_domain.website is not distinct from job.website
)

select search_id, uid, company_score, tenure_score, title_score
from scored
where company_score > 0
qualify row_number() over (
    partition by search_id, uid
    order by company_score * tenure_score desc, title_score desc nulls last, company, title
) = 1;

-- Name, company and tenure are each a share of certainty; a title speaks for or against by a
-- little, since titles change.
create or replace temp table scored_profiles as
with compared as (
    select
        profile.search_id,
        profile.position,
        profile.uid,
        profile.profile,
        greatest(
            name_score(searched.our_name_key, profile.their_name_key),
            0.97 * name_score(
                coalesce(ours.latin_key, searched.our_name_key),
                coalesce(theirs.latin_key, profile.their_name_key)
            )
        ) as name_score,
        job.company_score,
        job.tenure_score,
        job.title_score
    from found_profiles as profile
    join searched_contacts as searched on searched.search_id = profile.search_id
    join scored_jobs as job on job.search_id = profile.search_id and job.uid = profile.uid
    left join staging.latin_names as ours on ours.name_key = searched.our_name_key
    left join staging.latin_names as theirs on theirs.name_key = profile.their_name_key
)

select
    *,
    round(least(1.0, greatest(
        0.0,
        name_score * company_score * tenure_score
        + case when title_score is null then 0.0 else 0.2 * (title_score - 0.5) end
    )), 4) as score
from compared
where name_score > 0;
