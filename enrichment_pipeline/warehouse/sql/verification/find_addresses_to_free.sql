-- The addresses, as verifications are keyed, of which $provider has never answered, and whose
-- person a reviewer has wanted asked about again since. `current_decisions` must have been
-- selected.
--
-- reads: current_decisions, raw.verifications, staging.contact_persons, staging.judgements

with addresses as (
    select person_key, point.value as email
    from (select person_key, unnest(points) as point from staging.judgements)
),

given as (
    select distinct assigned.contact_id, addresses.email
    from addresses
    join staging.contact_persons as assigned on assigned.person_key = addresses.person_key
    where assigned.contact_id in (
        select contact_id from current_decisions where decision = 'retry'
    )
)

select distinct verification.address_key
from raw.verifications as verification
join given on given.email = verification.email
join current_decisions as decided
    on decided.contact_id = given.contact_id
    and decided.decision = 'retry'
    and decided.decided_at > verification.requested_at
where verification.provider = $provider and verification.state = 'unconfirmed'
order by verification.address_key;
