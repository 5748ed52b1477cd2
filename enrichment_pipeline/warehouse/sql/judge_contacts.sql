-- What every contact of the source has come to: its best values, whether they are good
-- enough, and if not, why. `contact_states` must have been derived before.

create or replace temp table best_values as
with ranked as (
    select
        fact.contact_id, fact.field, fact.value, fact.status,
        row_number() over (
            partition by fact.contact_id, fact.field
            order by
                fact.provider = 'human' desc,
                case fact.status when 'verified' then 0 when 'likely' then 1 else 2 end,
                fact.observed_at desc, fact.lookup_id, fact.position
        ) as place
    from enrichment.person_facts as fact
    left join staging.contact_persons as assigned on assigned.contact_id = fact.contact_id
    where fact.field <> 'lookup_outcome'
        -- a reviewer can give values for a contact that nobody could look up
        and assigned.person_key is not distinct from fact.person_key
        and not (fact.provider = 'human' and fact.valid_to is not null)
)

select
    contact_id,
    max(value) filter (field = 'full_name') as full_name,
    max(value) filter (field = 'job_title') as job_title,
    max(value) filter (field = 'company_name') as company_name,
    max(value) filter (field = 'company_domain') as company_domain,
    max(value) filter (field = 'work_email') as work_email,
    max(status) filter (field = 'work_email') as work_email_status,
    max(value) filter (field = 'personal_email') as personal_email,
    max(status) filter (field = 'personal_email') as personal_email_status,
    max(value) filter (field = 'direct_phone') as direct_phone,
    max(status) filter (field = 'direct_phone') as direct_phone_status,
    max(value) filter (field = 'mobile_phone') as mobile_phone,
    max(status) filter (field = 'mobile_phone') as mobile_phone_status,
    max(value) filter (field = 'linkedin_url') as linkedin_url,
    max(value) filter (field = 'location') as location,
    max(value) filter (field = 'provider_uid') as provider_uid
from ranked
where place = 1
group by contact_id;

-- the last answer that each contact got, and the last one that was accepted
create or replace temp table answer_outcomes as
select
    fact.contact_id,
    arg_max(fact.value, (fact.observed_at, fact.lookup_id)) as last_judgement,
    arg_max(fact.lookup_id, (fact.observed_at, fact.lookup_id)) as last_lookup_id,
    max(fact.observed_at) filter (fact.value = 'matched') as enriched_at,
    arg_max(fact.lookup_id, (fact.observed_at, fact.lookup_id)) filter (fact.value = 'matched')
        as lookup_id,
    arg_max(fact.run_id, (fact.observed_at, fact.lookup_id)) filter (fact.value = 'matched')
        as run_id,
    arg_max(fact.provider, (fact.observed_at, fact.lookup_id)) filter (fact.value = 'matched')
        as provider
from enrichment.person_facts as fact
join staging.contact_persons as assigned
    on assigned.contact_id = fact.contact_id and assigned.person_key = fact.person_key
where fact.field = 'lookup_outcome'
group by fact.contact_id;

create or replace temp table judged_contacts as
with
required as (
    select
        contact_id,
        (not list_contains($require, 'verified_email')
            or coalesce(work_email_status = 'verified', false)
            or coalesce(personal_email_status = 'verified', false))
        and (not list_contains($require, 'verified_work_email')
            or coalesce(work_email_status = 'verified', false))
        and (not list_contains($require, 'verified_phone')
            or coalesce(direct_phone_status = 'verified', false)
            or coalesce(mobile_phone_status = 'verified', false))
            as is_acceptable
    from best_values
),

reasons as (
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
        outcome.lookup_id,
        outcome.last_lookup_id,
        outcome.run_id,
        coalesce(outcome.provider, case when decided.replaced_at is not null then 'human' end)
            as provider,
        case
            when state.freshness_reason in (
                'suppressed_by_list', 'suppressed_by_review', 'asked_again'
            ) then null
            -- a reviewer has seen it: nothing but another profile brings it back
            when decided.is_settled and (
                shown.provider_uid is null
                or list_contains(decided.settled_uids, shown.provider_uid)
            ) then null
            when state.last_outcome = 'legal_stop' then 'legal_stop'
            when state.last_state = 'unconfirmed' then 'lookup_unconfirmed'
            when outcome.last_judgement = 'refused' then 'rejected_by_provider'
            when outcome.last_judgement = 'identity_mismatch' then 'identity_mismatch'
            when outcome.last_judgement = 'no_match' and outcome.enriched_at is not null
                then 'refresh_no_match'
            when outcome.last_judgement = 'no_match' then 'no_match'
            when outcome.last_judgement = 'matched' and not coalesce(required.is_acceptable, false)
                then 'no_verified_email'
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
        end as reason,
        case
            when state.freshness = 'unusable' then
                case
                    when state.search_detail is not null then state.search_detail
                    when not coalesce(part.has_any_identifier, false)
                        and state.is_named
                        then 'only a name and a company; searching by them is switched off'
                    when not coalesce(part.has_any_identifier, false)
                        then 'no profile URL, e-mail or phone'
                    when part.email is not null and is_role_address(part.email)
                        then 'the e-mail is a role address, which is no person''s'
                    when part.email is not null or part.phone is not null
                        then 'the e-mail or phone is shared by contacts with other names'
                    when part.phone_text is not null and part.phone is null
                        then 'the phone number is not valid, or lacks its country code'
                    else 'the profile URL or e-mail is malformed'
                end
        end as identity_detail
    from contact_states as state
    left join staging.contact_parts as part on part.contact_id = state.contact_id
    left join answer_outcomes as outcome on outcome.contact_id = state.contact_id
    left join required on required.contact_id = state.contact_id
    left join decided_contacts as decided on decided.contact_id = state.contact_id
    left join decided_answers as shown
        on shown.contact_id = state.contact_id and shown.lookup_id = outcome.last_lookup_id
)

select
    *,
    case
        when reason is not null then 'needs_review'
        when freshness = 'suppressed' then 'suppressed'
        when enriched_at is not null then 'enriched'
        when freshness = 'in_flight' then 'in_flight'
        else 'queued'
    end as status,
    case reason
        when 'legal_stop' then 'the provider may not give data on this person'
        when 'lookup_unconfirmed' then 'sent, but never answered; may have been billed'
        when 'rejected_by_provider' then 'the provider does not take this identifier'
        when 'identity_mismatch' then 'the profile found bears another name'
        when 'refresh_no_match' then 'found before, not found at the last refresh'
        when 'no_match' then 'the provider does not know this person'
        when 'no_verified_email' then
            'found, but not what the policy requires: ' || array_to_string($require, ', ')
        when 'invalid_identity' then identity_detail
        when 'insufficient_identity' then coalesce(search_detail, identity_detail)
        when 'ambiguous_match' then search_detail
    end as detail
from reasons;
