-- What a reviewer is shown: whom we have, why it waits, and every profile that was found,
-- highest priority first. Whose profile a reviewer has rejected is shown where that is asked for.
--
-- reads: enrichment.needs_review, raw.lookups, staging.contact_persons, staging.contacts

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

profiles as (
    select
        contact_id,
        unnest(from_json(
            case json_type(candidate) when 'ARRAY' then candidate else json_array(candidate) end,
            '[{
                "uid": "VARCHAR",
                "fullName": "VARCHAR",
                "headLine": "VARCHAR",
                "location": "VARCHAR",
                "locations": [{"name": "VARCHAR"}],
                "social": [{"type": "VARCHAR", "link": "VARCHAR"}],
                "contacts": [{"type": "VARCHAR", "value": "VARCHAR", "rating": "VARCHAR"}],
                "experience": [{
                    "position": "VARCHAR", "title": "VARCHAR", "company": "VARCHAR",
                    "current": "BOOLEAN"
                }],
                "score": "DOUBLE",
                "name_score": "DOUBLE",
                "company_score": "DOUBLE",
                "title_score": "DOUBLE"
            }]'
        )) as profile
    from queue
    where candidate is not null
),

shown_profiles as (
    select
        contact_id,
        list({
            'uid': profile.uid,
            'name': clean_text(profile.fullName),
            'title': clean_text(coalesce(jobs[1].position, jobs[1].title, profile.headLine)),
            'companies': list_transform(jobs, lambda job: clean_text(job.company)),
            'location': clean_text(coalesce(profile.location, profile.locations[1].name)),
            -- what a search finds has no address of its own: then where to look for one
            'link': coalesce(
                clean_text(list_filter(
                    profile.social, lambda place: linkedin_slug(place.link) is not null
                )[1].link),
                concat(
                    'https://www.linkedin.com/search/results/people/?keywords=',
                    url_encode(regexp_replace(
                        concat_ws(' ', clean_text(profile.fullName), jobs[1].company),
                        '\s+', ' ', 'g'
                    ))
                )
            ),
            'score': profile.score,
            'scores': {
                'name': profile.name_score,
                'company': profile.company_score,
                'title': profile.title_score
            },
            'emails': list_transform(
                list_filter(profile.contacts, lambda point: lower(point.type) = 'email'),
                lambda point: rated_text(point.value, point.rating)
            ),
            'phones': list_transform(
                list_filter(profile.contacts, lambda point: lower(point.type) = 'phone'),
                lambda point: rated_text(point.value, point.rating)
            )
        }) as profiles
    from (
        select
            contact_id,
            profile,
            -- a search does not say which jobs are held: then all that it shows
            case
                when len(list_filter(profile.experience, lambda job: job.current)) > 0
                    then list_filter(profile.experience, lambda job: job.current)
                else list_filter(profile.experience, lambda job: job.current is null)
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
