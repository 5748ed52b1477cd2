-- Rows of the source that nothing can name.
--
-- reads: incoming_contacts

select coalesce(sum(source_rows), 0)
from incoming_contacts
where clean_text(contact_id) is null;
