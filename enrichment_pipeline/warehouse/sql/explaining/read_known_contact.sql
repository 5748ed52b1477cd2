-- A contact as the source or an application gives it, and who it is; no row where there is none.
--
-- reads: staging.contact_identities, staging.contact_persons, staging.contacts,
--        staging.entered_contacts, staging.retired_entries

select
    contact.contact_id, contact.account_id, contact.first_name, contact.last_name,
    contact.full_name, contact.email, contact.phone, contact.linkedin_url, contact.company_name,
    contact.company_domain, contact.job_title, contact.created_at, contact.updated_at,
    contact.loaded_at, contact.left_at,
    assigned.person_key, assigned.assigned_at, known.identity_kind, known.lookup_identity,
    entered.contact_id is not null as is_entered,
    retired.entered_as
from staging.contacts as contact
left join staging.contact_persons as assigned on assigned.contact_id = contact.contact_id
left join staging.contact_identities as known on known.contact_id = contact.contact_id
left join staging.entered_contacts as entered on entered.contact_id = contact.contact_id
left join staging.retired_entries as retired on retired.contact_id = contact.contact_id
where contact.contact_id = $contact_id;
