-- Take over who may be asked about (`eligible_contacts`): every other contact of the source may
-- not. An id that the query does not give is one of these, whatever the reason.
--
-- reads: eligible_contacts, staging.contacts
-- makes: staging.ineligible_contacts

delete from staging.ineligible_contacts;

insert into staging.ineligible_contacts (contact_id)
select contact_id
from staging.contacts
where left_at is null
    and contact_id not in (
        select contact_id from eligible_contacts where contact_id is not null
    );
