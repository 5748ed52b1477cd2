-- Whatever a person must look at. A contact keeps the instant at which it was first flagged.
--
-- reads: chosen_values, enrichment.search_results, judged_contacts, raw.provider_responses,
--        staging.profiles
-- makes: changed_reviews, enrichment.needs_review

delete from enrichment.needs_review
where contact_id not in (select contact_id from judged_contacts where reason is not null);

-- what has changed goes, and comes again with what is new
create or replace temp table changed_reviews as
select fresh.*
from (
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
        coalesce(flagged.first_flagged_at, $flagged_at) as first_flagged_at,
        judged.last_attempt_at,
        true as needs_manual_enrichment,
        chosen.source_full_name as full_name,
        chosen.our_company_name as company_name,
        chosen.source_email as email
    from judged_contacts as judged
    join chosen_values as chosen on chosen.contact_id = judged.contact_id
    left join raw.provider_responses as response on response.lookup_id = judged.last_lookup_id
    left join profiles as profile on profile.call_id = judged.last_lookup_id
    left join enrichment.search_results as result on result.search_id = judged.last_search_id
    left join enrichment.needs_review as flagged on flagged.contact_id = judged.contact_id
    where judged.reason is not null
) as fresh
left join enrichment.needs_review as known on known.contact_id = fresh.contact_id
where fresh is distinct from known;

delete from enrichment.needs_review
where contact_id in (select contact_id from changed_reviews);

insert into enrichment.needs_review by name
select * from changed_reviews;
