-- The identifiers that each contact is known by, hashed as the ledger has them; also those that it
-- shares with others.
--
-- reads: all_identities

select contact_id, list(distinct hashed_identifier(kind, value)) as identifiers
from all_identities
where kind <> 'name'
group by contact_id;
