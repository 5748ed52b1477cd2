-- What each contact is known by, into a snapshot for the point of entry (attached as
-- `known_draft`), and the ledger's revision that it is of.
--
-- reads: all_identities
-- makes: known_draft.staging.as_of, known_draft.staging.identities

create table known_draft.staging.identities as
select alias, contact_id
from all_identities
order by alias;

create table known_draft.staging.as_of as
select cast($revision as bigint) as revision;
