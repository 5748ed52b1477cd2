-- How the last run that bought anything compares with those before it, by two measures: the
-- share of answers that found the person, and the share of these that gave a verified e-mail.
-- What was expected is the earlier runs' share in each freshness, since persons found
-- before are found again more often than new ones are. A freshness without earlier answers
-- is not compared.
--
-- reads: enrichment.person_facts, raw.lookups

with
answers as (
    select lookup_id, run_id, freshness, requested_at, outcome
    from raw.lookups
    where state = 'answered'
),

tries as (
    select 'match_rate' as measure, run_id, freshness, requested_at, outcome = 'matched' as is_hit
    from answers
    union all
    select
        'verified_share' as measure, run_id, freshness, requested_at,
        lookup_id in (
            select lookup_id
            from enrichment.person_facts
            where field in ('work_email', 'personal_email') and status = 'verified'
        ) as is_hit
    from answers
    where outcome = 'matched'
),

runs as (
    select
        measure, run_id,
        row_number() over (partition by measure order by max(requested_at) desc, run_id) as place
    from tries
    group by measure, run_id
),

earlier as (
    select
        tries.measure, tries.freshness, avg(cast(tries.is_hit as integer)) as share
    from tries
    join runs on runs.measure = tries.measure and runs.run_id = tries.run_id
    where runs.place between 2 and $earlier_runs + 1
    group by tries.measure, tries.freshness
)

select
    tries.measure,
    tries.run_id,
    avg(cast(tries.is_hit as integer)) as share,
    count(earlier.share) as compared,
    count(earlier.share) filter (tries.is_hit) as hits,
    coalesce(sum(earlier.share), 0) as expected_hits
from tries
join runs on runs.measure = tries.measure and runs.run_id = tries.run_id
left join earlier on earlier.measure = tries.measure and earlier.freshness = tries.freshness
where runs.place = 1
group by tries.measure, tries.run_id
order by tries.measure;
