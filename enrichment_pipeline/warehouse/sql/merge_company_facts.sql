-- What the new answers say of the companies that people work at, by registrable domain:
-- the newest value of each field. Free-mail domains are nobody's company.

merge into enrichment.company_facts as known
using (
    select
        host.registrable_domain as company_domain, facts.field, facts.value, answer.provider,
        answer.answered_at as observed_at, answer.lookup_id, answer.run_id
    from judged_answers as answer
    join (
        select contact_id, lookup_id, company_host, 'name' as field, company_name as value
        from new_positions
        union all
        select contact_id, lookup_id, company_host, 'website', company_host
        from new_positions
        union all
        select contact_id, lookup_id, company_host, 'industry', clean_text(industry)
        from new_positions
        union all
        select contact_id, lookup_id, company_host, 'employee_count', clean_text(employee_count)
        from new_positions
    ) as facts
        on facts.contact_id = answer.contact_id and facts.lookup_id = answer.lookup_id
    join staging.hosts as host
        on host.host = facts.company_host and not host.is_free_mail and not host.is_disposable
    where answer.judgement = 'matched'
        and facts.value is not null
        and host.registrable_domain is not null
    qualify row_number() over (
        partition by host.registrable_domain, facts.field
        order by answer.answered_at desc, answer.lookup_id
    ) = 1
) as fresh
on known.company_domain = fresh.company_domain and known.field = fresh.field
when matched
    -- of two from one instant, the one that would have won if they had come together
    and (fresh.observed_at, known.lookup_id) > (known.observed_at, fresh.lookup_id) then update set
    value = fresh.value,
    provider = fresh.provider,
    observed_at = fresh.observed_at,
    lookup_id = fresh.lookup_id,
    run_id = fresh.run_id
when not matched then insert (
    company_domain, field, value, provider, observed_at, lookup_id, run_id
) values (
    fresh.company_domain, fresh.field, fresh.value, fresh.provider, fresh.observed_at,
    fresh.lookup_id, fresh.run_id
);
