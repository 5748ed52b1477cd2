-- One row for every contact of the source, whatever became of it.
--
-- reads: chosen_values, judged_contacts
-- makes: enrichment.contact_status

delete from enrichment.contact_status
where contact_id not in (select contact_id from judged_contacts);

merge into enrichment.contact_status as known
using (
    select
        judged.contact_id,
        judged.status,
        judged.freshness,
        judged.freshness_reason,
        judged.priority,
        coalesce(
            judged.reason,
            case when judged.freshness_reason = 'not_eligible' then 'not_eligible' end
        ) as reason,
        case when judged.freshness not in ('unusable', 'suppressed') then judged.due_at end
            as next_lookup_at,
        judged.account_id,
        judged.person_key,
        chosen.company_domain,
        chosen.company_name,
        chosen.company_website,
        chosen.company_industry,
        chosen.company_employee_count
    from judged_contacts as judged
    join chosen_values as chosen on chosen.contact_id = judged.contact_id
) as fresh
on known.contact_id = fresh.contact_id
when matched and row(
    known.status, known.freshness, known.freshness_reason, known.priority, known.reason,
    known.next_lookup_at, known.account_id, known.person_key, known.company_domain,
    known.company_name, known.company_website, known.company_industry,
    known.company_employee_count
) is distinct from row(
    fresh.status, fresh.freshness, fresh.freshness_reason, fresh.priority, fresh.reason,
    fresh.next_lookup_at, fresh.account_id, fresh.person_key, fresh.company_domain,
    fresh.company_name, fresh.company_website, fresh.company_industry,
    fresh.company_employee_count
) then update set
    status = fresh.status,
    freshness = fresh.freshness,
    freshness_reason = fresh.freshness_reason,
    priority = fresh.priority,
    reason = fresh.reason,
    next_lookup_at = fresh.next_lookup_at,
    account_id = fresh.account_id,
    person_key = fresh.person_key,
    company_domain = fresh.company_domain,
    company_name = fresh.company_name,
    company_website = fresh.company_website,
    company_industry = fresh.company_industry,
    company_employee_count = fresh.company_employee_count
when not matched then insert (
    contact_id, status, freshness, freshness_reason, priority, reason, next_lookup_at,
    account_id, person_key, company_domain, company_name, company_website, company_industry,
    company_employee_count
) values (
    fresh.contact_id, fresh.status, fresh.freshness, fresh.freshness_reason, fresh.priority,
    fresh.reason, fresh.next_lookup_at, fresh.account_id, fresh.person_key, fresh.company_domain,
    fresh.company_name, fresh.company_website, fresh.company_industry,
    fresh.company_employee_count
);
