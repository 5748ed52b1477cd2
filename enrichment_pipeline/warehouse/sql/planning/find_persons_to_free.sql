-- Persons whose last look-up at $provider was never answered, and that a reviewer wants
-- asked about again. `decided_persons` must have been selected.
--
-- reads: decided_persons, staging.person_lookups

select decided.person_key
from decided_persons as decided
join staging.person_lookups as lookup on lookup.person_key = decided.person_key
where lookup.provider = $provider
    and not decided.is_never
    and lookup.state = 'unconfirmed'
    and list_contains(decided.seen_heads, lookup.lookup_id);
