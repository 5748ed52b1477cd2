-- Whatever a person must look at. A contact keeps the instant at which it was first flagged.
--
-- reads: chosen_values, enrichment.search_results, judged_contacts, raw.provider_responses,
--        staging.profiles
-- makes: enrichment.needs_review

delete from enrichment.needs_review
where contact_id not in (select contact_id from judged_contacts where reason is not null);

merge into enrichment.needs_review as known
using (
    with profiles as (
        select
            call_id,
            path,
            full_name,
            list_transform(positions, lambda job: job.company_name) as company_names,
            list_transform(positions, lambda job: job.company_website) as company_websites,
            list_transform(positions, lambda job: job.title) as job_titles
        from staging.profiles
        where call_kind = 'lookup'
    )

    select
        judged.contact_id,
        judged.account_id,
        judged.reason,
        judged.detail,
        -- evidence only where there is something to decide
        case
            when judged.reason in (
                'identity_mismatch', 'unreadable_answer', 'no_verified_email', 'job_changed'
            ) then json_extract(response.answer, profile.path)
            when judged.reason = 'ambiguous_match' then result.candidates
            when judged.reason = 'rejected_by_reviewer' then coalesce(
                json_extract(response.answer, profile.path), result.candidates
            )
        end as candidate,
        case
            when judged.reason in ('identity_mismatch', 'job_changed') then to_json({
                'differs':
                    case judged.reason
                        when 'job_changed' then 'company' else judged.outcome_detail
                    end,
                'ours': {
                    'full_name': chosen.source_full_name,
                    'company_name': chosen.our_company_name,
                    'company_domain': chosen.our_company_domain,
                    'job_title': chosen.source_job_title
                },
                'theirs': {
                    'full_name': profile.full_name,
                    'company_names': coalesce(profile.company_names, []),
                    'websites': coalesce(profile.company_websites, []),
                    'job_titles': coalesce(profile.job_titles, [])
                }
            })
        end as evidence,
        judged.priority,
        judged.attempts,
        judged.last_attempt_at,
        chosen.source_full_name as full_name,
        chosen.our_company_name as company_name,
        chosen.source_email as email
    from judged_contacts as judged
    join chosen_values as chosen on chosen.contact_id = judged.contact_id
    left join raw.provider_responses as response on response.lookup_id = judged.last_lookup_id
    left join profiles as profile on profile.call_id = judged.last_lookup_id
    left join enrichment.search_results as result on result.search_id = judged.last_search_id
    where judged.reason is not null
) as fresh
on known.contact_id = fresh.contact_id
when matched and row(
    known.account_id, known.reason, known.detail, cast(known.candidate as varchar),
    cast(known.evidence as varchar), known.priority, known.attempts, known.last_attempt_at,
    known.full_name, known.company_name, known.email
) is distinct from row(
    fresh.account_id, fresh.reason, fresh.detail, cast(fresh.candidate as varchar),
    cast(fresh.evidence as varchar), fresh.priority, fresh.attempts, fresh.last_attempt_at,
    fresh.full_name, fresh.company_name, fresh.email
) then update set
    account_id = fresh.account_id,
    reason = fresh.reason,
    detail = fresh.detail,
    candidate = fresh.candidate,
    evidence = fresh.evidence,
    priority = fresh.priority,
    attempts = fresh.attempts,
    last_attempt_at = fresh.last_attempt_at,
    full_name = fresh.full_name,
    company_name = fresh.company_name,
    email = fresh.email
when not matched then insert (
    contact_id, account_id, reason, detail, candidate, evidence, priority, attempts,
    first_flagged_at, last_attempt_at, needs_manual_enrichment, full_name, company_name, email
) values (
    fresh.contact_id, fresh.account_id, fresh.reason, fresh.detail, fresh.candidate,
    fresh.evidence, fresh.priority, fresh.attempts, $flagged_at, fresh.last_attempt_at, true,
    fresh.full_name, fresh.company_name, fresh.email
);
