-- What becomes of every contact of the source: whether what it has is good enough, and if not,
-- why. `contact_states` and `chosen_values` must have been made before.
--
-- reads: chosen_values, contact_states, decided_answers, decided_contacts, raw.provider_responses,
--        raw.undone_runs, staging.contact_parts, staging.contact_persons,
--        staging.due_verifications, staging.judgements
-- makes: answer_outcomes, judged_contacts, undone_contacts

-- contacts of whose person an answer was undone
create or replace temp table undone_contacts as
select distinct assigned.contact_id
from raw.provider_responses as response
join raw.undone_runs as undone on undone.run_id = response.run_id
join staging.contact_persons as assigned on assigned.person_key = response.person_key;

-- The last answer that each contact got, and the last one that was accepted. A miss at one
-- provider takes nothing from what another has found.
create or replace temp table answer_outcomes as
with by_provider as (
    select
        judged.contact_id,
        judged.provider,
        arg_min(
            {
                'at': -epoch_us(judged.answered_at),
                'lookup_id': judged.lookup_id,
                'judgement': judged.judgement,
                'detail': judged.detail
            },
            (-epoch_us(judged.answered_at), judged.lookup_id)
        ) as last,
        arg_min(
            {
                'at': -epoch_us(judged.answered_at),
                'lookup_id': judged.lookup_id,
                'run_id': judged.run_id,
                'provider': judged.provider,
                'answered_at': judged.answered_at
            },
            (-epoch_us(judged.answered_at), judged.lookup_id)
        ) filter (judged.judgement = 'matched') as accepted
    from staging.judgements as judged
    join staging.contact_persons as assigned
        on assigned.contact_id = judged.contact_id and assigned.person_key = judged.person_key
    group by judged.contact_id, judged.provider
),

by_contact as (
    select
        contact_id,
        coalesce(
            case
                when bool_or(last.judgement = 'matched')
                    then arg_min(last, (last.at, last.lookup_id))
                        filter (last.judgement <> 'no_match')
            end,
            arg_min(last, (last.at, last.lookup_id))
        ) as last,
        arg_min(accepted, (accepted.at, accepted.lookup_id)) filter (accepted is not null)
            as accepted
    from by_provider
    group by contact_id
)

select
    contact_id,
    last.judgement as last_judgement,
    last.lookup_id as last_lookup_id,
    last.detail,
    accepted.answered_at as enriched_at,
    accepted.lookup_id,
    accepted.run_id,
    accepted.provider
from by_contact;

create or replace temp table judged_contacts as
with reasons as (
    select
        state.contact_id,
        state.account_id,
        state.person_key,
        state.priority,
        state.freshness,
        state.freshness_reason,
        state.due_at,
        state.attempts,
        state.last_attempt_at,
        state.last_search_id,
        state.search_detail,
        coalesce(outcome.enriched_at, decided.replaced_at) as enriched_at,
        coalesce(
            decided.is_settled and (
                shown.profile is null
                or list_contains(decided.settled_profiles, shown.profile)
            ),
            false
        ) as is_seen,
        coalesce(outcome.enriched_at, decided.replaced_at) is not null as is_filled,
        outcome.lookup_id,
        outcome.last_lookup_id,
        outcome.run_id,
        coalesce(outcome.provider, case when decided.replaced_at is not null then 'human' end)
            as provider,
        outcome.detail as outcome_detail,
        case
            when state.freshness_reason in (
                'suppressed_by_list', 'suppressed_by_review', 'not_eligible', 'asked_again'
            ) then null
            when outcome.last_judgement is null and not chosen.has_values
                and undone.contact_id is not null then 'undone'
            -- a reviewer has seen it: nothing but another profile brings it back. It is done with
            -- where there is something to show, or the profile that was accepted is yet to be
            -- asked for; where every profile was rejected, it stays known as that.
            when is_seen and is_filled then null
            when is_seen and decided.accepted_profile is null then 'rejected_by_reviewer'
            when is_seen and state.freshness in ('new', 'retry', 'in_flight') then null
            when state.last_outcome = 'legal_stop' then 'legal_stop'
            when state.last_state = 'unconfirmed' then 'lookup_unconfirmed'
            when outcome.last_judgement = 'refused' then 'rejected_by_provider'
            when outcome.last_judgement in ('identity_mismatch', 'unreadable_answer')
                then outcome.last_judgement
            when outcome.last_judgement = 'rejected' then 'rejected_by_reviewer'
            when outcome.last_judgement = 'no_match' and outcome.enriched_at is not null
                then 'refresh_no_match'
            when outcome.last_judgement = 'no_match' then 'no_match'
            when outcome.last_judgement = 'matched' and len(list_filter(
                $require,
                lambda requirement: not has_required(chosen.known_points, requirement)
            )) > 0 then 'no_verified_email'
            when outcome.last_judgement = 'matched' and chosen.job_changed
                and $job_changes = 'review' then 'job_changed'
            when outcome.last_judgement is null and state.search_reason is not null
                then state.search_reason
            when state.freshness = 'unusable' then
                case
                    when part.has_any_identifier
                        and part.linkedin_slug is null
                        and part.email is null
                        and part.phone is null then 'invalid_identity'
                    else 'insufficient_identity'
                end
        end as reason_so_far,
        -- those that were asked have not settled it, and there is one more to ask, or an address to
        -- verify
        (state.waits_for_provider or verification.contact_id is not null)
        and coalesce(reason_so_far not in ('legal_stop', 'undone'), not is_filled)
            as is_waiting_for_provider,
        case when not is_waiting_for_provider then reason_so_far end as reason,
        case
            when state.freshness = 'unusable' then concat_ws(
                '; ',
                case
                    when state.search_detail is not null then state.search_detail
                    when not coalesce(part.has_any_identifier, false) and state.is_named
                        then concat(
                            'only a name and a company, and searching by them is switched off: ',
                            'switch it on, or add a profile URL, e-mail or phone'
                        )
                    when not coalesce(part.has_any_identifier, false)
                        then 'no profile URL, e-mail or phone: add one, or a name with a company'
                    when part.email is not null and is_role_address(part.email)
                        then 'email is a role address, which is no person''s: add the person''s own'
                    when part.email is not null or part.phone is not null
                        then concat(
                            'the e-mail or phone is shared by contacts with other names: ',
                            'add the person''s own'
                        )
                end,
                profile_url_problem(chosen.source_linkedin_url),
                email_problem(chosen.source_email),
                phone_problem(part.phone_text, part.phone)
            )
        end as identity_detail,
        case
            when reason = 'no_verified_email' then points_that_count(chosen.known_points, $require)
        end as found_points
    from contact_states as state
    left join staging.contact_parts as part on part.contact_id = state.contact_id
    left join answer_outcomes as outcome on outcome.contact_id = state.contact_id
    left join chosen_values as chosen on chosen.contact_id = state.contact_id
    left join undone_contacts as undone on undone.contact_id = state.contact_id
    left join staging.due_verifications as verification
        on verification.contact_id = state.contact_id
    left join decided_contacts as decided on decided.contact_id = state.contact_id
    left join decided_answers as shown
        on shown.contact_id = state.contact_id and shown.lookup_id = outcome.last_lookup_id
)

select
    reasons.*,
    case
        when reason is not null then 'needs_review'
        when freshness = 'suppressed' then 'suppressed'
        when is_waiting_for_provider and freshness = 'in_flight' then 'in_flight'
        when is_waiting_for_provider then 'queued'
        when enriched_at is not null then 'enriched'
        when freshness = 'in_flight' then 'in_flight'
        else 'queued'
    end as status,
    case
        when reason in ('invalid_identity', 'insufficient_identity')
            then coalesce(
                nullif(identity_detail, ''),
                search_detail,
                concat(
                    getvariable('reason_meanings')[reason], '; ',
                    getvariable('reason_advice')[reason]
                )
            )
        when reason is not null then concat(
            case
                when reason = 'identity_mismatch'
                    then getvariable('mismatch_meanings')[outcome_detail]
                when reason = 'ambiguous_match' then search_detail
                else getvariable('reason_meanings')[reason]
            end,
            case
                when reason = 'unreadable_answer' then ': ' || outcome_detail
                when reason = 'no_verified_email' then concat(
                    ' (', array_to_string($require, ', '), '): ',
                    coalesce(found_points, 'nothing of that kind was found')
                )
            end,
            '; ' || getvariable('reason_advice')[reason]
        )
    end as detail
from reasons;
