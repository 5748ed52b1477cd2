-- Bring staging.person_lookups up to date with raw.lookups: persons with a look-up that
-- came or changed since, at whichever provider. A kill between the two costs nothing: the next
-- time finds them.
--
-- reads: raw.lookups, staging.person_lookups
-- makes: dirty_lookups, staging.person_lookups

create or replace temp table dirty_lookups as
select *
from raw.lookups
where person_key in (
    select person_key
    from raw.lookups
    where revision > (select coalesce(max(revision), 0) from staging.person_lookups)
);

delete from staging.person_lookups
where person_key in (select person_key from dirty_lookups);

-- The look-up that stands for each person at a provider is the one that nothing supersedes.
insert into staging.person_lookups by name
with
heads as (
    select *
    from dirty_lookups
    where state <> 'released'
        and lookup_id not in (
            select supersedes from dirty_lookups where state <> 'released' and supersedes <> ''
        )
    qualify row_number() over (
        partition by person_key, provider order by requested_at desc, lookup_id
    ) = 1
),

attempts as (
    select
        person_key,
        provider,
        max(revision) as revision,
        count(*) as attempts,
        max(requested_at) as last_attempt_at,
        max(requested_at) filter (state = 'released') as last_released_at,
        -- a person's word to ask again makes up for whatever failed before
        max(requested_at) filter (reason = 'asked_again') as asked_again_at
    from dirty_lookups
    group by person_key, provider
),

-- Only what the provider says of the item counts: credits, the key or the network
-- are not the person's, and delay no further attempt once they are over.
failures as (
    select
        failed.person_key,
        failed.provider,
        count(distinct failed.run_id) as failed_runs,
        max(failed.requested_at) as last_failed_at
    from dirty_lookups as failed
    join attempts
        on attempts.person_key = failed.person_key and attempts.provider = failed.provider
    left join heads on heads.person_key = failed.person_key and heads.provider = failed.provider
    where failed.state = 'released'
        and failed_by_item(failed.provider, failed.reason)
        and failed.requested_at > coalesce(
            greatest(heads.requested_at, attempts.asked_again_at),
            cast('-infinity' as timestamptz)
        )
    group by failed.person_key, failed.provider
)

select
    attempts.person_key,
    attempts.provider,
    attempts.revision,
    attempts.attempts,
    attempts.last_attempt_at,
    attempts.last_released_at,
    heads.lookup_id,
    heads.state,
    heads.outcome,
    heads.reason,
    heads.requested_at,
    heads.answered_at,
    attempts.asked_again_at,
    md5_number_lower(concat(heads.person_key, '|', heads.lookup_id)) / pow(2, 64) as spread_draw,
    failures.failed_runs,
    failures.last_failed_at
from attempts
left join heads
    on heads.person_key = attempts.person_key and heads.provider = attempts.provider
left join failures
    on failures.person_key = attempts.person_key and failures.provider = attempts.provider;
