-- The verdict on each search: a profile that is certain enough and leads all others is the
-- person; several that are too close, or one that is not certain, are for a reviewer.
--
-- reads: scored_profiles, searched_contacts
-- makes: enrichment.search_results

delete from enrichment.search_results
where search_id in (select search_id from searched_contacts);

insert into enrichment.search_results by name
with
ranked as (
    select
        search_id,
        uid,
        score,
        row_number() over (partition by search_id order by score desc, position) as place,
        json_merge_patch(
            -- the evidence names the profile, whatever the provider calls its id
            case
                when json_extract_string(profile, '$.uid') is null
                    then json_merge_patch(profile, json_object('uid', uid))
                else profile
            end,
            json_object(
                'score', score, 'name_score', name_score, 'company_score', company_score,
                'title_score', title_score
            )
        ) as evidence
    from scored_profiles
),

best as (
    select
        search_id,
        count(*) as plausible,
        max(uid) filter (place = 1) as uid,
        max(score) as score,
        max(score) - coalesce(max(score) filter (place = 2), 0.0) as lead,
        to_json(list(evidence order by place) filter (place <= $shown)) as candidates
    from ranked
    group by search_id
),

judged as (
    select
        searched.*,
        best.* exclude (search_id),
        case
            when searched.outcome = 'refused' then 'refused'
            when best.search_id is null then 'none'
            when not coalesce(searched.is_complete, false) then 'ambiguous'
            when best.score >= $min_score and best.lead >= $min_lead then 'resolved'
            else 'ambiguous'
        end as verdict
    from searched_contacts as searched
    left join best on best.search_id = searched.search_id
)

select
    search_id,
    person_key,
    contact_id,
    query_kind,
    verdict,
    case
        when verdict <> 'ambiguous' then null
        when not coalesce(is_complete, false)
            then 'there are more profiles of this name than the policy reads'
        when plausible > 1 and lead < $min_lead
            then concat(plausible, ' profiles are too close to call')
        else 'a profile was found, but too little speaks for it'
    end as detail,
    case when verdict = 'resolved' then uid end as uid,
    score,
    lead,
    candidates,
    answered_at,
    run_id,
    scored_by
from judged;
