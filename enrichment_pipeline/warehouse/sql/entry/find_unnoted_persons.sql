-- The persons of entries of which the ledger has none noted, each with the version of the entry.
--
-- reads: staging.contact_persons, staging.entered_contacts

select entered.contact_id, entered.version, assigned.person_key
from staging.entered_contacts as entered
join staging.contact_persons as assigned on assigned.contact_id = entered.contact_id
where entered.person_key is null
order by entered.contact_id;
