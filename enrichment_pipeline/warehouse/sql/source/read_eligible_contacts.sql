-- The ids of the contacts that may be asked about. `source_rows` holds the user's own query.
--
-- reads: source_rows
-- makes: eligible_contacts

create or replace temp table eligible_contacts as
select distinct cast(contact_id as varchar) as contact_id
from source_rows;
