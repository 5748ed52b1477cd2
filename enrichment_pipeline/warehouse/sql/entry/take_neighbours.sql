-- Take over from the last run's snapshot (attached as `known`) the contacts that the entered ones
-- may be one person with, or share an identifier of $relation with: these contacts, their persons,
-- and all that is known of who is who among them. What was taken over before stays.
--
-- reads: enrichment.company_facts, known.enrichment.company_facts, known.raw.review_decisions,
--        known.raw.undone_runs, known.staging.contact_parts, known.staging.contact_persons,
--        known.staging.contacts, known.staging.identities, known.staging.person_aliases,
--        raw.review_decisions, raw.undone_runs, staging.contact_parts, staging.contact_persons,
--        staging.contacts, staging.person_aliases
-- makes: enrichment.company_facts, neighbour_persons, neighbours, raw.review_decisions,
--        raw.undone_runs, staging.contact_parts, staging.contact_persons, staging.contacts,
--        staging.person_aliases

create or replace temp table neighbour_persons as
select person_key
from known.staging.person_aliases
where alias in (select alias from query_table($relation))
union
select assigned.person_key
from known.staging.contact_persons as assigned
where assigned.contact_id in (
    select contact_id from known.staging.identities
    where alias in (select alias from query_table($relation))
    union all
    select contact_id from staging.contacts
);

create or replace temp table neighbours as
select contact_id
from known.staging.identities
where alias in (select alias from query_table($relation))
union
select contact_id
from known.staging.contact_persons
where person_key in (select person_key from neighbour_persons);

insert into staging.contacts by name
select *
from known.staging.contacts
where contact_id in (select contact_id from neighbours)
    and contact_id not in (select contact_id from staging.contacts)
    and left_at is null;

insert into staging.contact_parts by name
select *
from known.staging.contact_parts
where contact_id in (select contact_id from neighbours)
    and contact_id not in (select contact_id from staging.contact_parts);

insert into staging.contact_persons by name
select * from known.staging.contact_persons
where person_key in (select person_key from neighbour_persons)
    and contact_id not in (select contact_id from staging.contact_persons);

insert into staging.person_aliases by name
select * from known.staging.person_aliases
where person_key in (select person_key from neighbour_persons)
    and alias not in (select alias from staging.person_aliases);

insert into raw.review_decisions by name
select * from known.raw.review_decisions
where (
    contact_id in (select contact_id from neighbours)
    or person_key in (select person_key from neighbour_persons)
)
and decision_id not in (select decision_id from raw.review_decisions);

insert into raw.undone_runs by name
select * from known.raw.undone_runs
where run_id not in (select run_id from raw.undone_runs);

insert into enrichment.company_facts by name
select *
from known.enrichment.company_facts
where company_domain in (select company_domain from staging.contact_parts)
    and company_domain not in (select company_domain from enrichment.company_facts);
