-- Bring staging.contacts to what the source has now ($relation): changed and new rows by their
-- hash, removed ids by anti-join (a watermark would see neither late rows nor deletions).
--
-- makes: staging.contacts, staging.source_contact_ids

update staging.contacts
set left_at = $loaded_at
where left_at is null
    and contact_id not in (select contact_id from query_table($relation));

delete from staging.source_contact_ids;

insert into staging.source_contact_ids (contact_id, source_rows)
select contact_id, source_rows from query_table($relation);

-- what has changed goes, and comes again with what is new
delete from staging.contacts as known
using query_table($relation) as incoming
where incoming.contact_id = known.contact_id
    and (known.row_hash <> incoming.row_hash or known.left_at is not null);

insert into staging.contacts by name
select incoming.* exclude (source_rows), $loaded_at as loaded_at
from query_table($relation) as incoming
anti join staging.contacts as known on known.contact_id = incoming.contact_id;
