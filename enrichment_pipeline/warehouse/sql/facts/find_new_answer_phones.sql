-- Phone numbers in the new answers; the provider writes them with their country code.
--
-- reads: new_contact_points

select distinct value as phone_text, cast(null as varchar) as company_domain
from new_contact_points
where kind = 'phone' and value is not null;
