-- Persons whose last look-up was never answered, and whom a reviewer wants asked again.
-- `decided_persons` must have been selected.

select decided.person_key
from decided_persons as decided
join raw.lookups as lookup on lookup.person_key = decided.person_key
where lookup.state <> 'released' and not decided.is_never
group by decided.person_key, decided.seen_at
having max(lookup.requested_at) <= decided.seen_at and bool_or(lookup.state = 'unconfirmed');
