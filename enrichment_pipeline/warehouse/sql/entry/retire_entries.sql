-- Retire entries in favour of the source's contact of the same person, the first by its id; and let
-- those come back that are not the same person any more. Gives how many of either.
--
-- reads: entered_rows, staging.contact_persons, staging.entered_contacts, staging.retired_entries
-- makes: retiring_entries, returning_entries, staging.contacts, staging.retired_entries

create or replace temp table returning_entries as
select retired.contact_id
from staging.retired_entries as retired
left join staging.contact_persons as mine on mine.contact_id = retired.contact_id
left join staging.contact_persons as theirs on theirs.contact_id = retired.entered_as
where coalesce(mine.person_key <> theirs.person_key, true);

delete from staging.retired_entries
where contact_id in (select contact_id from returning_entries);

insert into staging.contacts by name
select entered.* exclude (version, person_key), $loaded_at as loaded_at
from entered_rows as entered
where entered.contact_id in (select contact_id from returning_entries);

create or replace temp table retiring_entries as
with
present as (
    select
        contact.contact_id,
        assigned.person_key,
        coalesce(not entered.is_in_source, false) as is_entry
    from staging.contacts as contact
    join staging.contact_persons as assigned on assigned.contact_id = contact.contact_id
    left join staging.entered_contacts as entered on entered.contact_id = contact.contact_id
    where contact.left_at is null
)

select mine.contact_id, min(theirs.contact_id) as entered_as
from present as mine
join present as theirs on theirs.person_key = mine.person_key and not theirs.is_entry
where mine.is_entry
group by mine.contact_id;

insert into staging.retired_entries (contact_id, entered_as)
select contact_id, entered_as from retiring_entries;

delete from staging.contacts
where contact_id in (select contact_id from retiring_entries);

select
    (select count(*) from retiring_entries) + (select count(*) from returning_entries) as moved;
