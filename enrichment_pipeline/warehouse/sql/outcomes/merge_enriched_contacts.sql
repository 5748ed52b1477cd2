-- The chosen values of every contact that has an accepted answer.
--
-- reads: chosen_values, judged_contacts
-- makes: enrichment.enriched_contacts

delete from enrichment.enriched_contacts
where contact_id not in (select contact_id from judged_contacts where enriched_at is not null);

merge into enrichment.enriched_contacts as known
using (
    select
        judged.contact_id,
        judged.account_id,
        judged.person_key,
        chosen.full_name,
        chosen.job_title,
        chosen.seniority,
        chosen.company_name,
        chosen.company_domain,
        chosen.company_website,
        chosen.company_industry,
        chosen.company_employee_count,
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
        judged.provider,
        chosen.provider_uid,
        chosen.job_changed,
        chosen.previous_company_name,
        chosen.previous_company_domain,
        chosen.previous_job_title,
        chosen.source_full_name,
        chosen.source_job_title,
        chosen.source_company_name,
        chosen.source_company_domain,
        chosen.source_email,
        chosen.source_phone,
        chosen.source_linkedin_url,
        judged.enriched_at,
        judged.enriched_at + to_days($max_age_days) as expires_at,
        judged.lookup_id,
        judged.run_id,
        judged.reason is not null as needs_manual_enrichment
    from judged_contacts as judged
    join chosen_values as chosen on chosen.contact_id = judged.contact_id
    where judged.enriched_at is not null
) as fresh
on known.contact_id = fresh.contact_id
when matched and row(
    known.account_id, known.person_key, known.full_name, known.job_title, known.seniority,
    known.company_name, known.company_domain, known.company_website, known.company_industry,
    known.company_employee_count, known.work_email, known.work_email_status, known.personal_email,
    known.personal_email_status, known.direct_phone, known.direct_phone_status, known.mobile_phone,
    known.mobile_phone_status, known.linkedin_url, known.location, known.provider,
    known.provider_uid, known.job_changed, known.previous_company_name,
    known.previous_company_domain, known.previous_job_title, known.source_full_name,
    known.source_job_title, known.source_company_name, known.source_company_domain,
    known.source_email, known.source_phone, known.source_linkedin_url, known.enriched_at,
    known.expires_at, known.lookup_id, known.run_id, known.needs_manual_enrichment
) is distinct from row(
    fresh.account_id, fresh.person_key, fresh.full_name, fresh.job_title, fresh.seniority,
    fresh.company_name, fresh.company_domain, fresh.company_website, fresh.company_industry,
    fresh.company_employee_count, fresh.work_email, fresh.work_email_status, fresh.personal_email,
    fresh.personal_email_status, fresh.direct_phone, fresh.direct_phone_status, fresh.mobile_phone,
    fresh.mobile_phone_status, fresh.linkedin_url, fresh.location, fresh.provider,
    fresh.provider_uid, fresh.job_changed, fresh.previous_company_name,
    fresh.previous_company_domain, fresh.previous_job_title, fresh.source_full_name,
    fresh.source_job_title, fresh.source_company_name, fresh.source_company_domain,
    fresh.source_email, fresh.source_phone, fresh.source_linkedin_url, fresh.enriched_at,
    fresh.expires_at, fresh.lookup_id, fresh.run_id, fresh.needs_manual_enrichment
) then update set
    account_id = fresh.account_id,
    person_key = fresh.person_key,
    full_name = fresh.full_name,
    job_title = fresh.job_title,
    seniority = fresh.seniority,
    company_name = fresh.company_name,
    company_domain = fresh.company_domain,
    company_website = fresh.company_website,
    company_industry = fresh.company_industry,
    company_employee_count = fresh.company_employee_count,
    work_email = fresh.work_email,
    work_email_status = fresh.work_email_status,
    personal_email = fresh.personal_email,
    personal_email_status = fresh.personal_email_status,
    direct_phone = fresh.direct_phone,
    direct_phone_status = fresh.direct_phone_status,
    mobile_phone = fresh.mobile_phone,
    mobile_phone_status = fresh.mobile_phone_status,
    linkedin_url = fresh.linkedin_url,
    location = fresh.location,
    provider = fresh.provider,
    provider_uid = fresh.provider_uid,
    job_changed = fresh.job_changed,
    previous_company_name = fresh.previous_company_name,
    previous_company_domain = fresh.previous_company_domain,
    previous_job_title = fresh.previous_job_title,
    source_full_name = fresh.source_full_name,
    source_job_title = fresh.source_job_title,
    source_company_name = fresh.source_company_name,
    source_company_domain = fresh.source_company_domain,
    source_email = fresh.source_email,
    source_phone = fresh.source_phone,
    source_linkedin_url = fresh.source_linkedin_url,
    enriched_at = fresh.enriched_at,
    expires_at = fresh.expires_at,
    lookup_id = fresh.lookup_id,
    run_id = fresh.run_id,
    needs_manual_enrichment = fresh.needs_manual_enrichment
when not matched then insert (
    contact_id, account_id, person_key, full_name, job_title, seniority, company_name,
    company_domain, company_website, company_industry, company_employee_count, work_email,
    work_email_status, personal_email, personal_email_status, direct_phone, direct_phone_status,
    mobile_phone, mobile_phone_status, linkedin_url, location, provider, provider_uid, job_changed,
    previous_company_name, previous_company_domain, previous_job_title, source_full_name,
    source_job_title, source_company_name, source_company_domain, source_email, source_phone,
    source_linkedin_url, enriched_at, expires_at, lookup_id, run_id, needs_manual_enrichment
) values (
    fresh.contact_id, fresh.account_id, fresh.person_key, fresh.full_name, fresh.job_title,
    fresh.seniority, fresh.company_name, fresh.company_domain, fresh.company_website,
    fresh.company_industry, fresh.company_employee_count, fresh.work_email, fresh.work_email_status,
    fresh.personal_email, fresh.personal_email_status, fresh.direct_phone,
    fresh.direct_phone_status, fresh.mobile_phone, fresh.mobile_phone_status, fresh.linkedin_url,
    fresh.location, fresh.provider, fresh.provider_uid, fresh.job_changed,
    fresh.previous_company_name, fresh.previous_company_domain, fresh.previous_job_title,
    fresh.source_full_name, fresh.source_job_title, fresh.source_company_name,
    fresh.source_company_domain, fresh.source_email, fresh.source_phone, fresh.source_linkedin_url,
    fresh.enriched_at, fresh.expires_at, fresh.lookup_id, fresh.run_id,
    fresh.needs_manual_enrichment
);
