-- What each contact can be known by, best first: profile URL, e-mail, phone, name with
-- company: its domain or, without one, its name. Role addresses never count.

create or replace temp view all_identities as
with present as (
    select part.*, company.company_key
    from staging.contact_parts as part
    join staging.contacts as contact on contact.contact_id = part.contact_id
    left join staging.company_names as company
        on company.company_name = clean_text(contact.company_name)
    where contact.left_at is null
)

select contact_id, name_key, 'linkedin' as kind, 1 as kind_rank, linkedin_slug as value
from present
where linkedin_slug is not null
union all
select contact_id, name_key, 'email' as kind, 2 as kind_rank, email as value
from present
where email is not null and not is_role_address(email)
union all
select contact_id, name_key, 'phone' as kind, 3 as kind_rank, phone as value
from present
where phone is not null
union all
select
    contact_id, name_key, 'name' as kind, 4 as kind_rank,
    -- no domain is a key: they have dots
    concat(name_key, '@', coalesce(company_domain, company_key)) as value
from present
where contains(name_key, ' ') and coalesce(company_domain, company_key, '') <> '';
