-- What the touched companies' people are known to work at, by registrable domain: each value
-- of each field, from when to when it was what answers said. Answers that say the same in a
-- row are one row, which names the last of them. Free-mail domains are nobody's company.
--
-- reads: enrichment.person_facts, touched_domains
-- makes: enrichment.company_facts

delete from enrichment.company_facts
where company_domain in (select company_domain from touched_domains);

insert into enrichment.company_facts (
    company_domain, field, value, provider, observed_at, lookup_id, run_id, valid_from, valid_to
)
with
observed as (
    select
        domain.value as company_domain,
        replace(fact.field, 'company_', '') as field,
        min(fact.value) as value,
        min(fact.provider) as provider,
        fact.observed_at,
        fact.lookup_id,
        min(fact.run_id) as run_id
    from enrichment.person_facts as domain
    join enrichment.person_facts as fact
        on fact.contact_id = domain.contact_id and fact.lookup_id = domain.lookup_id
    where domain.field = 'company_domain'
        and domain.provider <> 'human'
        and domain.value in (select company_domain from touched_domains)
        and fact.field in (
            'company_name', 'company_website', 'company_industry', 'company_employee_count'
        )
    group by domain.value, fact.field, fact.observed_at, fact.lookup_id
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
