-- What each contact can be known by, best first: profile URL, e-mail, phone, name with
-- company: its domain or, without one, its name; the contact's own, else its account's. Role
-- addresses never count.
--
-- reads: staging.contact_parts
-- makes: all_identities

create or replace temp view all_identities as
select
    contact_id, name_key, 'linkedin' as kind, 1 as kind_rank, linkedin_slug as value,
    concat('linkedin:', linkedin_slug) as alias
from staging.contact_parts
where linkedin_slug is not null
union all
select
    contact_id, name_key, 'email' as kind, 2 as kind_rank, email as value,
    concat('email:', email) as alias
from staging.contact_parts
where email is not null and not is_role_address(email)
union all
select
    contact_id, name_key, 'phone' as kind, 3 as kind_rank, phone as value,
    concat('phone:', phone) as alias
from staging.contact_parts
where phone is not null
union all
select
    contact_id, name_key, 'name' as kind, 4 as kind_rank,
    -- no domain is a key: they have dots
    concat(name_key, '@', name_company) as value,
    concat('name:', name_key, '@', name_company) as alias
from staging.contact_parts
where contains(name_key, ' ') and coalesce(name_company, '') <> '';
