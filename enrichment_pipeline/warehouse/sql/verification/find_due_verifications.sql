-- The addresses that $provider is to verify, one for each contact, and who they are for.
--
-- That is an address of an accepted answer which no provider verifies, of a contact that has not
-- got what $require says, where a verified one would be it; or one whose check has expired, and on
-- which what is shown rests. Never the source's own nor another person's, nor one at a free mail
-- service, of which a verifier says nothing; nor one of an answer that is to be looked up again
-- first. Of several the best comes first; the others are asked about if that one does not hold.
--
-- `chosen_values`, `contact_states` and the policy's numbers must have been made before.
--
-- reads: chosen_values, contact_states, decided_contacts, enrichment.worklist, past_positions,
--        raw.verifications, staging.checked_addresses, staging.contact_parts,
--        staging.contact_persons, staging.hosts, staging.judgements, staging.person_aliases,
--        staging.told_changes, stopped_persons
-- makes: asked_addresses, staging.due_verifications

-- How the verifications of each address have gone, and until when it is left alone.
create or replace temp table asked_addresses as
with standing as (
    select *
    from raw.verifications
    where provider = $provider and state <> 'released'
    qualify row_number() over (
        partition by email order by requested_at desc, revision desc, verification_id
    ) = 1
),

failed as (
    select
        released.email,
        count(distinct released.run_id) as failed_runs,
        max(released.requested_at) as last_failed_at
    from raw.verifications as released
    left join standing on standing.email = released.email
    where released.provider = $provider
        and released.state = 'released'
        -- what else went wrong delays no address
        and list_contains($failed_by_item, released.reason)
        and released.requested_at
        > coalesce(standing.requested_at, cast('-infinity' as timestamptz))
    group by released.email
)

select
    coalesce(standing.email, failed.email) as email,
    -- one that a ledger does not know which an older version restored supersedes nothing there
    case when standing.revision > 0 then standing.verification_id else '' end
        as last_verification_id,
    greatest(
        case
            when standing.state = 'open' then cast('infinity' as timestamptz)
            when standing.state = 'unconfirmed'
                then standing.requested_at + to_days(getvariable('aging').unconfirmed_days)
            -- refused for good, or a legal stop
            when standing.outcome <> 'checked' then cast('infinity' as timestamptz)
            else standing.answered_at + to_days($verified_days)
        end,
        failed.last_failed_at + to_seconds(
            seconds_to_retry(failed.failed_runs, getvariable('aging'))
        )
    ) as left_until
from standing
full join failed on failed.email = standing.email;

delete from staging.due_verifications;

insert into staging.due_verifications by name
with wanting as (
    select
        state.contact_id,
        state.person_key,
        state.priority,
        state.priority_rank,
        state.priority_score,
        list_filter(
            $require, lambda each: contains(each, 'email') and not starts_with(each, 'any_')
        ) as required,
        list_filter(
            required, lambda each: not has_required(chosen.known_points, each)
        ) as missing,
        [chosen.work_email, chosen.personal_email] as shown,
        part.email as own_email
    from contact_states as state
    join chosen_values as chosen on chosen.contact_id = state.contact_id
    join staging.contact_parts as part on part.contact_id = state.contact_id
    left join decided_contacts as decided on decided.contact_id = state.contact_id
    where state.freshness <> 'suppressed'
        -- is looked up again first
        and state.freshness_reason not in ('address_bounced', 'profile_changed')
        and state.person_key not in (select person_key from stopped_persons)
        and decided.is_settled is not true
        and len(required) > 0
),

given as (
    select
        judged.contact_id,
        judged.lookup_id,
        judged.answered_at,
        unnest(judged.points) as point
    from staging.judgements as judged
    join staging.contact_persons as assigned
        on assigned.contact_id = judged.contact_id and assigned.person_key = judged.person_key
    left join staging.told_changes as told on told.lookup_id = judged.lookup_id
    where judged.judgement = 'matched'
        and judged.contact_id in (select contact_id from wanting)
        and expiry(judged.answered_at, told, getvariable('aging').max_age_days)
        > getvariable('aging').as_of
),

verified as (
    select distinct contact_id, point.value as email from given where point.status = 'verified'
),

askable as (
    select
        wanting.*,
        given.point.value as email,
        given.point.field,
        given.point.status,
        given.answered_at,
        given.lookup_id,
        asked.last_verification_id,
        checked.email is not null as was_checked
    from given
    join wanting on wanting.contact_id = given.contact_id
    left join staging.checked_addresses as checked on checked.email = given.point.value
    left join asked_addresses as asked on asked.email = given.point.value
    left join staging.hosts as host on host.host = split_part(given.point.value, '@', 2)
    left join past_positions as past
        on past.contact_id = given.contact_id and past.lookup_id = given.lookup_id
    left join staging.person_aliases as owned on owned.alias = 'email:' || given.point.value
    anti join verified
        on verified.contact_id = given.contact_id and verified.email = given.point.value
    where given.point.field in ('work_email', 'personal_email')
        and case given.point.field
            when 'work_email' then $rules['work_email']
            else $rules['personal_email']
        end <> 'never'
        -- another person's
        and coalesce(owned.person_key = wanting.person_key, true)
        and given.point.value is distinct from wanting.own_email
        and coalesce(not host.is_free_mail and not host.is_disposable, true)
        and not (past.contact_id is not null and given.point.field = 'work_email')
        and coalesce(asked.left_until <= getvariable('aging').as_of, true)
        and coalesce(checked.holds_until <= getvariable('aging').as_of, true)
        -- what did not arrive then is asked about again where an answer still gives it
        and (checked.status is distinct from 'withdrawn' or given.answered_at > checked.checked_at)
        and len(list_filter(
            case
                when checked.email is not null and list_contains(wanting.shown, checked.email)
                    then wanting.required
                else wanting.missing
            end,
            lambda each: required_field(each) in ('email', given.point.field)
        )) > 0
),

best_of_contact as (
    select *
    from askable
    qualify row_number() over (
        partition by contact_id
        order by
            status_rank(status), field = 'work_email' desc, answered_at desc, lookup_id, email
    ) = 1
),

-- the lane in which the person was looked up by this run
listed as (
    select person_key, any_value(freshness) as freshness
    from enrichment.worklist
    group by person_key
)

select
    best.contact_id,
    best.person_key,
    best.email,
    coalesce(listed.freshness, case when best.was_checked then 'stale' else 'retry' end)
        as freshness,
    best.priority,
    best.priority_rank,
    best.priority_score,
    coalesce(best.last_verification_id, '') as last_verification_id
from best_of_contact as best
left join listed on listed.person_key = best.person_key;
