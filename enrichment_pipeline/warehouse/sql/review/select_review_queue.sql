-- What a reviewer is shown: the contact, why it waits, and every profile that was found,
-- highest priority first. Whose profile a reviewer has rejected is shown where that is asked for.
--
-- reads: enrichment.needs_review, enrichment.search_results, raw.lookups, raw.search_profiles,
--        staging.contact_persons, staging.contacts, staging.judgements, staging.profiles

with queue as (
    select *
    from enrichment.needs_review
    where list_contains($priorities, priority)
        and (
            list_contains($reasons, reason)
            or ($reasons is null and reason <> 'rejected_by_reviewer')
            or ($shows_rejected and reason = 'rejected_by_reviewer')
        )
),

-- what the answer to the last look-up of each contact says, as it was judged
answered as (
    select
        judged.contact_id,
        arg_min(judged.lookup_id, (-epoch_us(judged.answered_at), judged.lookup_id)) as call_id
    from staging.judgements as judged
    join staging.contact_persons as assigned
        on assigned.contact_id = judged.contact_id and assigned.person_key = judged.person_key
    where judged.contact_id in (select contact_id from queue)
    group by judged.contact_id
),

-- what the last search for its person gave, the best first
searched as (
    select contact_id, call_id, unnest(candidates) as scored, generate_subscripts(candidates, 1)
        as place
    from (
        select
            assigned.contact_id,
            arg_max(result.search_id, (result.answered_at, result.search_id)) as call_id,
            from_json(
                arg_max(result.candidates, (result.answered_at, result.search_id)),
                '[{
                    "uid": "VARCHAR", "score": "DOUBLE", "name_score": "DOUBLE",
                    "company_score": "DOUBLE", "title_score": "DOUBLE"
                }]'
            ) as candidates
        from enrichment.search_results as result
        join staging.contact_persons as assigned on assigned.person_key = result.person_key
        where assigned.contact_id in (select contact_id from queue)
            and result.candidates is not null
        group by assigned.contact_id
    )
),

profiles as (
    select answered.contact_id, 1 as place, told as profile, null as scored
    from answered
    join queue on queue.contact_id = answered.contact_id
    join staging.profiles as told
        on told.call_id = answered.call_id and told.call_kind = 'lookup'
    where queue.candidate is not null and queue.reason <> 'ambiguous_match'
    union all
    select searched.contact_id, searched.place, told as profile, searched.scored
    from searched
    join queue on queue.contact_id = searched.contact_id
    join raw.search_profiles as found
        on found.search_id = searched.call_id and found.uid = lower(searched.scored.uid)
    join staging.profiles as told
        on told.call_id = found.search_id
        and told.call_kind = 'search'
        and told.position = found.position
    where queue.candidate is not null
        and (
            queue.reason = 'ambiguous_match'
            or (
                queue.reason = 'rejected_by_reviewer'
                and queue.contact_id not in (
                    select answered.contact_id
                    from answered
                    join staging.profiles as shown
                        on shown.call_id = answered.call_id and shown.call_kind = 'lookup'
                )
            )
        )
),

shown_profiles as (
    select
        contact_id,
        list({
            'uid': profile.uid,
            'name': clean_text(profile.full_name),
            'title': clean_text(coalesce(jobs[1].title, profile.headline)),
            'companies': list_transform(jobs, lambda job: clean_text(job.company_name)),
            'location': clean_text(profile.location),
            -- what a search finds has no address of its own: then where to look for one
            'link': coalesce(
                clean_text(list_filter(
                    profile.profile_urls, lambda url: linkedin_slug(url) is not null
                )[1]),
                concat(
                    'https://www.linkedin.com/search/results/people/?keywords=',
                    url_encode(regexp_replace(
                        concat_ws(' ', clean_text(profile.full_name), jobs[1].company_name),
                        '\s+', ' ', 'g'
                    ))
                )
            ),
            'score': scored.score,
            'scores': {
                'name': scored.name_score,
                'company': scored.company_score,
                'title': scored.title_score
            },
            'emails': list_transform(
                list_filter(profile.contact_points, lambda point: point.kind = 'email'),
                lambda point: clean_text(point.value) || ' (' || point.status || ')'
            ),
            'phones': list_transform(
                list_filter(profile.contact_points, lambda point: point.kind = 'phone'),
                lambda point: clean_text(point.value) || ' (' || point.status || ')'
            )
        } order by place) as profiles
    from (
        select
            contact_id,
            place,
            profile,
            scored,
            -- a search does not say which jobs are held: then all that it shows
            case
                when len(list_filter(profile.positions, lambda job: job.is_current)) > 0
                    then list_filter(profile.positions, lambda job: job.is_current)
                else list_filter(profile.positions, lambda job: job.is_current is null)
            end as jobs
        from profiles
    )
    group by contact_id
),

last_lookups as (
    select person_key, arg_max(lookup_id, (requested_at, lookup_id)) as lookup_id
    from raw.lookups
    group by person_key
)

select
    queue.contact_id,
    queue.priority,
    queue.reason,
    queue.detail,
    written_name(contact.full_name, contact.first_name, contact.last_name) as our_name,
    contact.job_title as our_title,
    coalesce(
        clean_text(contact.company_name), queue.company_name, contact.company_domain
    ) as our_company,
    contact.email as our_email,
    contact.phone as our_phone,
    contact.linkedin_url as our_linkedin_url,
    looked_up.lookup_id,
    queue.evidence ->> '$.differs' as differs,
    found.profiles
from queue
join staging.contacts as contact on contact.contact_id = queue.contact_id
left join staging.contact_persons as assigned on assigned.contact_id = queue.contact_id
left join last_lookups as looked_up on looked_up.person_key = assigned.person_key
left join shown_profiles as found on found.contact_id = queue.contact_id
order by
    priority_rank(queue.priority),
    queue.first_flagged_at,
    queue.contact_id
limit $limit;
