-- Persons that an accepted answer has just shown to be known ones: never found so far, and all of
-- their contacts bear a name like the one that was found. They become that person
-- (`move_persons.sql`): what is in hand is theirs too, and is not bought again. A person of whom
-- anything but a miss is known, or not known yet, stays apart: its answers, and what was said of it
-- for good, are its own.
--
-- reads: answered_aliases, name_agreements, raw.lookups, staging.contact_parts,
--        staging.contact_persons, staging.person_aliases
-- makes: persons_joined_by_answers

create or replace temp table persons_joined_by_answers as
select owned.person_key as old_key, min(told.person_key) as new_key
from answered_aliases as told
join name_agreements as names on names.answer_no = told.answer_no
join staging.person_aliases as owned
    on owned.alias = told.alias and owned.person_key <> told.person_key
join staging.contact_persons as assigned on assigned.person_key = owned.person_key
join staging.contact_parts as part on part.contact_id = assigned.contact_id
where owned.person_key not in (
    select person_key
    from raw.lookups
    where state <> 'released' and outcome is distinct from 'no_match'
)
group by owned.person_key
having bool_and(names_alike(part.name_key, names.their_key));
