-- Ids that a Postgres ledger cannot hold: those with a NUL byte.
--
-- reads: incoming_contacts

select contact_id
from incoming_contacts
where contains(contact_id, chr(0))
order by contact_id;
