-- Whom an accepted answer has just shown to be somebody known: a person who was never looked
-- up, all of whose contacts bear a name like the one that was found. They become that person,
-- with what they are known by: what is in hand is theirs too, and nobody buys it again. Somebody
-- who was looked up before stays who they are: their look-ups, and what was said of them for
-- good, are theirs.
--
-- reads: answered_aliases, name_agreements, raw.lookups, staging.contact_parts,
--        staging.contact_persons, staging.person_aliases
-- makes: aliases_joined_by_answers, known_by_answer, staging.contact_persons,
--        staging.person_aliases

create or replace temp table known_by_answer as
select owned.person_key as unknown_key, min(told.person_key) as person_key
from answered_aliases as told
join name_agreements as names on names.answer_no = told.answer_no
join staging.person_aliases as owned
    on owned.alias = told.alias and owned.person_key <> told.person_key
join staging.contact_persons as assigned on assigned.person_key = owned.person_key
join staging.contact_parts as part on part.contact_id = assigned.contact_id
where owned.person_key not in (select person_key from raw.lookups where state <> 'released')
group by owned.person_key
having bool_and(names_alike(part.name_key, names.their_key));

update staging.contact_persons as assigned
set person_key = known.person_key
from known_by_answer as known
where known.unknown_key = assigned.person_key;

update staging.person_aliases as owned
set person_key = known.person_key
from known_by_answer as known
where known.unknown_key = owned.person_key;

create or replace temp table aliases_joined_by_answers as
select owned.alias, known.unknown_key as old_key, known.person_key as new_key
from known_by_answer as known
join staging.person_aliases as owned on owned.person_key = known.person_key;
