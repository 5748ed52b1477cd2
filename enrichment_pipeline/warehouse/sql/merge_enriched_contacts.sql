-- The best current values of every contact that has an accepted answer.

delete from enrichment.enriched_contacts
where contact_id not in (select contact_id from judged_contacts where enriched_at is not null);

merge into enrichment.enriched_contacts as known
using (
    select
        judged.contact_id,
        judged.account_id,
        judged.person_key,
        coalesce(
            best.full_name,
            clean_text(contact.full_name),
            clean_text(
                concat_ws(' ', clean_text(contact.first_name), clean_text(contact.last_name))
            )
        ) as full_name,
        coalesce(best.job_title, clean_text(contact.job_title)) as job_title,
        coalesce(best.company_name, clean_text(contact.company_name)) as company_name,
        coalesce(best.company_domain, part.company_domain) as company_domain,
        best.work_email,
        best.work_email_status,
        best.personal_email,
        best.personal_email_status,
        best.direct_phone,
        best.direct_phone_status,
        best.mobile_phone,
        best.mobile_phone_status,
        best.linkedin_url,
        best.location,
        judged.provider,
        best.provider_uid,
        case
            when best.company_domain is not null and part.company_domain is not null
                then best.company_domain <> part.company_domain
            when best.company_name is not null and clean_text(contact.company_name) is not null
                then jaro_winkler_similarity(
                    name_key(best.company_name), name_key(contact.company_name)
                ) < 0.85
            else false
        end as job_changed,
        judged.enriched_at,
        judged.enriched_at + to_days($max_age_days) as expires_at,
        judged.lookup_id,
        judged.run_id,
        judged.reason is not null as needs_manual_enrichment
    from judged_contacts as judged
    join staging.contacts as contact on contact.contact_id = judged.contact_id
    join staging.contact_parts as part on part.contact_id = judged.contact_id
    left join best_values as best on best.contact_id = judged.contact_id
    where judged.enriched_at is not null
) as fresh
on known.contact_id = fresh.contact_id
when matched and row(
    known.account_id, known.person_key, known.full_name, known.job_title, known.company_name,
    known.company_domain, known.work_email, known.work_email_status, known.personal_email,
    known.personal_email_status, known.direct_phone, known.direct_phone_status, known.mobile_phone,
    known.mobile_phone_status, known.linkedin_url, known.location, known.provider,
    known.provider_uid, known.job_changed, known.enriched_at, known.expires_at, known.lookup_id,
    known.run_id, known.needs_manual_enrichment
) is distinct from row(
    fresh.account_id, fresh.person_key, fresh.full_name, fresh.job_title, fresh.company_name,
    fresh.company_domain, fresh.work_email, fresh.work_email_status, fresh.personal_email,
    fresh.personal_email_status, fresh.direct_phone, fresh.direct_phone_status, fresh.mobile_phone,
    fresh.mobile_phone_status, fresh.linkedin_url, fresh.location, fresh.provider,
    fresh.provider_uid, fresh.job_changed, fresh.enriched_at, fresh.expires_at, fresh.lookup_id,
    fresh.run_id, fresh.needs_manual_enrichment
) then update set
    account_id = fresh.account_id,
    person_key = fresh.person_key,
    full_name = fresh.full_name,
    job_title = fresh.job_title,
    company_name = fresh.company_name,
    company_domain = fresh.company_domain,
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
    enriched_at = fresh.enriched_at,
    expires_at = fresh.expires_at,
    lookup_id = fresh.lookup_id,
    run_id = fresh.run_id,
    needs_manual_enrichment = fresh.needs_manual_enrichment
when not matched then insert (
    contact_id, account_id, person_key, full_name, job_title, company_name, company_domain,
    work_email, work_email_status, personal_email, personal_email_status, direct_phone,
    direct_phone_status, mobile_phone, mobile_phone_status, linkedin_url, location, provider,
    provider_uid, job_changed, enriched_at, expires_at, lookup_id, run_id, needs_manual_enrichment
) values (
    fresh.contact_id, fresh.account_id, fresh.person_key, fresh.full_name, fresh.job_title,
    fresh.company_name, fresh.company_domain, fresh.work_email, fresh.work_email_status,
    fresh.personal_email, fresh.personal_email_status, fresh.direct_phone,
    fresh.direct_phone_status, fresh.mobile_phone, fresh.mobile_phone_status, fresh.linkedin_url,
    fresh.location, fresh.provider, fresh.provider_uid, fresh.job_changed, fresh.enriched_at,
    fresh.expires_at, fresh.lookup_id, fresh.run_id, fresh.needs_manual_enrichment
);
