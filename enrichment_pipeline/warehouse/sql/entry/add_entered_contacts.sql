-- The source's contacts, and what applications entered. Where the source has the same id, its row
-- counts; what retired stays away while the entry is as it was, and the source has the contact in
-- whose favour it did. It comes back, too, where the point of entry has bought for it what we do
-- not know to be that person's (`find_entry_persons.sql` sees to that).
--
-- reads: entered_rows, incoming_contacts, raw.lookups, staging.contact_persons,
--        staging.entered_contacts
-- makes: contacts_to_load, staging.retired_entries

delete from staging.retired_entries
where contact_id in (select contact_id from incoming_contacts)
    or entered_as not in (select contact_id from incoming_contacts)
    or contact_id not in (
        select entered.contact_id
        from entered_rows as entered
        join staging.entered_contacts as known
            on known.contact_id = entered.contact_id and known.version = entered.version
    )
    or contact_id in (
        select entered.contact_id
        from entered_rows as entered
        join staging.contact_persons as assigned on assigned.contact_id = entered.contact_id
        where entered.person_key <> assigned.person_key
            and entered.person_key in (select person_key from raw.lookups where state <> 'released')
            and assigned.person_key not in (
                select person_key from raw.lookups where state <> 'released'
            )
    );

create or replace temp view contacts_to_load as
select * from incoming_contacts
union all by name
select entered.* exclude (version, person_key), 1 as source_rows
from entered_rows as entered
where entered.contact_id not in (select contact_id from incoming_contacts)
    and entered.contact_id not in (select contact_id from staging.retired_entries);
