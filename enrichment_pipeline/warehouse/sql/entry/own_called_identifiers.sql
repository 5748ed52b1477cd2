-- Identifiers with which a person was asked for, or answered about, since the last run (registered
-- as `called_persons`) are that person's, as they will be once a run has taken that over.
--
-- reads: called_persons, staging.person_aliases
-- makes: staging.person_aliases

insert into staging.person_aliases by name
select
    called.alias,
    called.person_key,
    'entry' as origin,
    cast($added_at as timestamptz) as added_at
from called_persons as called
where not exists (
    select 1 from staging.person_aliases as owned where owned.alias = called.alias
);
