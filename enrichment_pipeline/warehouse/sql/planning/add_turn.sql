-- Where contacts stand with the provider whose turn is next, `provider_states` being its own.
--
-- It is asked for a contact of $priorities that it can be asked for by something, if it can give
-- some of what is missing ($can_give). A contact that a reviewer has settled is not taken to a
-- further provider. It is not asked yet while the contact is due, or its answer awaited, at one
-- before it, unless that one is passed over ($passed_over).
--
-- reads: decided_contacts, provider_states, said_elsewhere, turn_states
-- makes: turn_states

insert into turn_states by name
with placed as (
    select
        state.*,
        $provider as provider,
        $place as place,
        state.freshness <> 'unusable'
        and list_contains($priorities, state.priority)
        and list_has_any(coalesce(elsewhere.missing, $require), cast($can_give as varchar[]))
        and not (
            $place > 1
            and state.last_lookup_id = ''
            and (decided.accepted_profile is not null or decided.replaced_at is not null)
        ) is true as is_asked
    from provider_states as state
    left join said_elsewhere as elsewhere on elsewhere.contact_id = state.contact_id
    left join decided_contacts as decided on decided.contact_id = state.contact_id
),

held_up as (
    select distinct contact_id
    from turn_states
    where is_asked
        and (
            freshness_reason = 'awaiting_answer'
            or (is_due and not list_contains($passed_over, provider))
        )
)

select
    placed.* replace (
        placed.is_due and placed.is_asked and held_up.contact_id is null as is_due
    ),
    held_up.contact_id is not null as is_blocked
from placed
left join held_up on held_up.contact_id = placed.contact_id;
