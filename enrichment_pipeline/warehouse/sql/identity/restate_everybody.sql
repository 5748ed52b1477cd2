-- What an older version found out of who is who: the next load finds it out anew.
--
-- reads: staging.contacts
-- makes: staging.restated_contacts

delete from staging.restated_contacts;

insert into staging.restated_contacts (contact_id)
select contact_id from staging.contacts;
