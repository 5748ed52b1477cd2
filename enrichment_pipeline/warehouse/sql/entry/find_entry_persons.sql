-- The persons that the point of entry took entries for, where they are others here: what was bought
-- for an entry is kept under that key. For a contact of the source with an entry's id only where
-- both have an identifier in common.
--
-- An identifier may be a person's who was never looked up, since the point of entry did not know of
-- that person yet. Then that person becomes the one who was (`move_persons.sql`).
--
-- reads: all_identities, entered_rows, raw.lookups, staging.contact_parts,
--        staging.contact_persons, staging.entered_contacts, staging.person_aliases,
--        staging.shared_identifiers
-- makes: entry_identities, entry_persons, persons_joined_by_entries

create or replace temp table entry_persons as
select entered.contact_id, entered.person_key
from staging.entered_contacts as entered
join staging.contact_parts as part on part.contact_id = entered.contact_id
left join staging.contact_persons as assigned on assigned.contact_id = entered.contact_id
left join entered_rows as given on given.contact_id = entered.contact_id
where entered.person_key is not null
    and assigned.person_key is distinct from entered.person_key
    and (
        not entered.is_in_source
        or email_address(given.email) = part.email
        or linkedin_slug(given.linkedin_url) = part.linkedin_slug
        or real_text(given.phone) = part.phone_text
    );

-- by what they are known, and whose that is
create or replace temp table entry_identities as
select mine.contact_id, entry.person_key, mine.kind, mine.alias, owned.person_key as owner
from all_identities as mine
join entry_persons as entry on entry.contact_id = mine.contact_id
left join staging.person_aliases as owned on owned.alias = mine.alias
where mine.alias not in (select alias from staging.shared_identifiers);

create or replace temp table persons_joined_by_entries as
with looked_up as (
    select person_key from raw.lookups where state <> 'released'
)

select owner as old_key, min(person_key) as new_key
from entry_identities
where owner <> person_key
    and kind <> 'name'
    and person_key in (select person_key from looked_up)
    and owner not in (select person_key from looked_up)
group by owner;
