-- Entries that are loaded, in the columns that a source's contacts have.
--
-- reads: entered_rows, incoming_contacts, staging.retired_entries

select entered.* exclude (version, person_key, row_hash)
from entered_rows as entered
where entered.contact_id not in (select contact_id from incoming_contacts)
    and entered.contact_id not in (select contact_id from staging.retired_entries);
