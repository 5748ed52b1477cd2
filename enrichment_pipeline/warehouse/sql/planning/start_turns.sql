-- Where contacts stand with each provider that is asked, one after the other: none yet.
-- `add_turn.sql` adds them.
--
-- reads: provider_states
-- makes: turn_states

create or replace temp table turn_states as
select
    *,
    cast(null as varchar) as provider,
    cast(null as integer) as place,
    cast(null as boolean) as is_asked,
    cast(null as boolean) as is_blocked
from provider_states
where false;
