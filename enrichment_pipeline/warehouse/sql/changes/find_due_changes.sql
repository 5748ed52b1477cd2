-- Whose profile at $provider may have been changed by a release, as of $as_of: the last look-up
-- there was accepted for a contact, and tells of which release it is, or a later question does. A
-- person who may not be asked about is left out, and so is one of whom it is known already that
-- they may not be looked up.
--
-- The profile is the one that it has become since; `known_release` the last one that is accounted
-- for. Whether there is one after it, shows when it is asked about: where not, once a day.
--
-- reads: hashed_identifiers, raw.profile_changes, staging.entered_contacts,
--        staging.ineligible_contacts, staging.contact_identities, staging.judgements,
--        staging.person_lookups, staging.profiles, staging.suppressed_contacts

with
-- by the contact whose id comes first: it is the person that is asked about
accepted as (
    select
        lookup.person_key,
        lookup.lookup_id,
        lookup.answered_at,
        profile.release,
        min(contact.contact_id) as contact_id,
        arg_min(judged.provider_uid, contact.contact_id) as uid,
        bool_or(
            contact.contact_id in (select contact_id from staging.suppressed_contacts)
        ) as is_suppressed
    from staging.person_lookups as lookup
    join staging.profiles as profile
        on profile.call_id = lookup.lookup_id and profile.call_kind = 'lookup'
    join staging.judgements as judged
        on judged.lookup_id = lookup.lookup_id and judged.judgement = 'matched'
    join staging.contact_identities as contact
        on contact.contact_id = judged.contact_id and contact.person_key = lookup.person_key
    where lookup.provider = $provider
        and lookup.state = 'answered'
        and lookup.outcome = 'matched'
        and profile.release is not null
        and judged.provider_uid is not null
        and contact.contact_id not in (select contact_id from staging.ineligible_contacts)
    group by lookup.person_key, lookup.lookup_id, lookup.answered_at, profile.release
),

asked as (
    select * from raw.profile_changes where provider = $provider
),

told as (
    select
        asked.person_key,
        arg_max(asked.release, asked.answered_at) as release,
        arg_max(coalesce(asked.moved_to, asked.uid), asked.answered_at) as uid
    from asked
    join accepted on accepted.person_key = asked.person_key
    where asked.state = 'answered' and asked.answered_at > accepted.answered_at
    group by asked.person_key
),

standing as (
    select *
    from asked
    where state <> 'released'
    qualify row_number() over (
        partition by person_key order by requested_at desc, revision desc, change_id
    ) = 1
),

known_by as (
    select person_key, list(distinct identifier) as identifiers
    from hashed_identifiers
    where person_key in (select person_key from accepted)
    group by person_key
)

select
    accepted.contact_id,
    accepted.person_key,
    coalesce(told.uid, accepted.uid) as uid,
    coalesce(told.release, accepted.release) as known_release,
    -- one that a restored ledger does not know supersedes nothing there
    case when standing.revision > 0 then standing.change_id else '' end as last_change_id,
    known_by.identifiers,
    accepted.contact_id in (
        select contact_id from staging.entered_contacts where not is_in_source
    ) as is_entered
from accepted
left join told on told.person_key = accepted.person_key
left join standing on standing.person_key = accepted.person_key
left join known_by on known_by.person_key = accepted.person_key
where not accepted.is_suppressed
    and accepted.person_key not in (select person_key from asked where outcome = 'legal_stop')
    and standing.state is distinct from 'open'
order by known_release, accepted.person_key;
