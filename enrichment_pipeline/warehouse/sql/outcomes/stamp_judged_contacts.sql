-- Which contacts the statuses are of: a digest of the source's ids, by which a check notices
-- that another run has loaded others since.
--
-- reads: staging.source_contact_ids
-- makes: staging.stamp

delete from staging.stamp
where key = 'judged_contacts';

insert into staging.stamp (key, value)
select 'judged_contacts', concat(count(*), ':', bit_xor(md5_number_lower(contact_id)))
from staging.source_contact_ids;
