-- Which answers are to be read, and what was read before and does not stand any more.
--
-- Facts follow from the profiles that answers were read into, the contacts as they are now, and
-- the logs of undone runs and reviewers' decisions, and from nothing else: so an answer is read
-- for each contact of its person, and anew when that contact has changed or a reviewer has decided
-- on the profile; its judgement goes when the contact has left, is another person, or the run
-- was undone. A replay reads everything anew, by the same way. What was decided must have been
-- selected before (`select_current_decisions.sql`).
--
-- reads: decided_answers, raw.provider_responses, raw.undone_runs, staging.contact_parts,
--        staging.contact_persons, staging.contacts, staging.judgements, staging.profiles
-- makes: pending_answers, rejudged_contacts, wanted_answers, withdrawn_answers, withdrawn_domains

create or replace temp table wanted_answers as
select
    contact.contact_id,
    response.lookup_id,
    response.provider,
    response.person_key,
    response.outcome,
    response.answered_at,
    response.run_id,
    -- the first version of a reading is left out: what it read before it had a number stands
    case when response.is_erased then erased.basis else md5(concat_ws(
        '|', assigned.person_key, contact.row_hash, part.phone_region_default, part.account_name,
        part.account_domain, decided.judgement, nullif(profile.reading, 1),
        case when response.outcome = 'matched' and profile.call_id is null then 'unread' end
    )) end as basis
from raw.provider_responses as response
left join staging.profiles as profile
    on profile.call_id = response.lookup_id and profile.call_kind = 'lookup'
join staging.contact_persons as assigned on assigned.person_key = response.person_key
join staging.contacts as contact
    on contact.contact_id = assigned.contact_id and contact.left_at is null
join staging.contact_parts as part on part.contact_id = contact.contact_id
left join decided_answers as decided
    on decided.contact_id = contact.contact_id and decided.lookup_id = response.lookup_id
left join staging.judgements as erased
    on erased.contact_id = contact.contact_id and erased.lookup_id = response.lookup_id
    and response.is_erased
-- what is left of an erased answer stands, and cannot be read for another contact
where (response.is_erased is not true or erased.lookup_id is not null)
    and not exists (select 1 from raw.undone_runs as undone where undone.run_id = response.run_id);

create or replace temp table withdrawn_answers as
select read_before.contact_id, read_before.lookup_id
from staging.judgements as read_before
where not exists (
    select 1
    from wanted_answers as wanted
    where wanted.contact_id = read_before.contact_id
        and wanted.lookup_id = read_before.lookup_id
        and wanted.basis = read_before.basis
);

-- In batches by time, so that memory does not grow with the number of answers, and each
-- batch reads its part of the profiles only. An answer to a contact has a number here, by
-- which what is taken from it is joined: that is faster than by two texts.
create or replace temp table pending_answers as
select
    row_number() over (order by answered_at, lookup_id, contact_id) as answer_no,
    (answer_no - 1) // $batch_rows as batch,
    contact_id,
    lookup_id,
    provider,
    person_key,
    outcome,
    answered_at,
    run_id,
    basis
from wanted_answers as wanted
where not exists (
    select 1
    from staging.judgements as read_before
    where read_before.contact_id = wanted.contact_id
        and read_before.lookup_id = wanted.lookup_id
        and read_before.basis = wanted.basis
);

drop table wanted_answers;

-- what has to be looked at again once all is read
create or replace temp table rejudged_contacts as
select contact_id from withdrawn_answers
union
select contact_id from pending_answers;

create or replace temp table withdrawn_domains as
select distinct judged.company_domain
from staging.judgements as judged
join withdrawn_answers as withdrawn
    on withdrawn.contact_id = judged.contact_id and withdrawn.lookup_id = judged.lookup_id
where judged.company_domain is not null;
