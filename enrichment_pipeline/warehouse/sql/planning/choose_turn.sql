-- Where every contact stands: with the one provider that there is, with the one whose turn it is
-- ($place), or, of several, where it is most urgent. A contact waits for a provider where one is
-- still to be asked, or asked again, after others have been: while that one is down, or out of
-- credits.
--
-- reads: provider_states, turn_states
-- makes: contact_states

set variable turns = $turns;

set variable turn = $place;

create or replace temp view contact_states as
select *, false as waits_for_provider
from provider_states
where getvariable('turns') = 1
union all by name
select
    * exclude (provider, place, is_asked, is_blocked, first_place),
    coalesce(
        bool_or(
            is_asked
            and not is_blocked
            and (
                is_due
                or freshness_reason = 'awaiting_answer'
                or (is_backing_off and freshness in ('new', 'retry', 'stale'))
            )
            and (freshness in ('new', 'retry') or place > first_place)
        ) over (partition by contact_id)
        and bool_or(last_lookup_id <> '' or search_reason is not null) over (
            partition by contact_id
        ),
        false
    ) as waits_for_provider
from (
    select
        *,
        min(place) filter (is_asked) over (partition by contact_id) as first_place
    from turn_states
    where getvariable('turns') > 1
        and place = coalesce(getvariable('turn'), place)
)
qualify row_number() over (
    partition by contact_id
    order by
        case
            when not is_asked then 8
            when is_due then list_position(['new', 'retry', 'stale'], freshness)
            when freshness = 'in_flight' then 4
            when is_backing_off then 5
            when freshness in ('fresh', 'suppressed') then 6
            else 7
        end,
        place
) = 1;
