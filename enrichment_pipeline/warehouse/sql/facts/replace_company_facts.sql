-- What the rejudged companies' people are known to work at, by registrable domain: each value
-- of each field, from when to when it was what answers said. Answers that say the same in a
-- row are one row, which names the last of them. Free-mail domains are no company's.
--
-- reads: pending_answers, staging.judgements, withdrawn_domains
-- makes: enrichment.company_facts, rejudged_domains

create or replace temp table rejudged_domains as
select company_domain from withdrawn_domains
union
select judged.company_domain
from staging.judgements as judged
join pending_answers as pending
    on pending.contact_id = judged.contact_id and pending.lookup_id = judged.lookup_id
where judged.company_domain is not null;

delete from enrichment.company_facts
where company_domain in (select company_domain from rejudged_domains);

insert into enrichment.company_facts by name
with
said as (
    select
        company_domain,
        answered_at as observed_at,
        lookup_id,
        min(company_name) as company_name,
        min(company_website) as company_website,
        min(company_industry) as company_industry,
        min(company_employee_count) as company_employee_count,
        min(provider) as provider,
        min(run_id) as run_id
    from staging.judgements
    where company_domain in (select company_domain from rejudged_domains)
    group by company_domain, answered_at, lookup_id
),

observed as (
    select *
    from (
        select
            company_domain, observed_at, lookup_id, provider, run_id,
            unnest(['name', 'website', 'industry', 'employee_count']) as field,
            unnest([
                company_name, company_website, company_industry, company_employee_count
            ]) as value
        from said
    )
    where value is not null
),

compared as (
    select
        *,
        coalesce(value <> lag(value) over observations, true) as is_first,
        coalesce(value <> lead(value) over observations, true) as is_last
    from observed
    window observations as (
        partition by company_domain, field order by observed_at, lookup_id desc
    )
),

-- from here on the first and the last of those that say the same do
numbered as (
    select
        *,
        count(*) filter (is_first) over observations as value_number
    from compared
    where is_first or is_last
    window observations as (
        partition by company_domain, field order by observed_at, lookup_id desc
        rows unbounded preceding
    )
),

spans as (
    select
        company_domain, field, value_number,
        any_value(value) as value,
        any_value(provider) filter (is_last) as provider,
        max(observed_at) as observed_at,
        any_value(lookup_id) filter (is_last) as lookup_id,
        any_value(run_id) filter (is_last) as run_id,
        min(observed_at) as valid_from
    from numbered
    group by company_domain, field, value_number
)

select
    company_domain, field, value, provider, observed_at, lookup_id, run_id, valid_from,
    lead(valid_from) over (partition by company_domain, field order by value_number) as valid_to
from spans;
