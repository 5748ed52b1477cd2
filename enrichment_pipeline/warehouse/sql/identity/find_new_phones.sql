-- Phone numbers (with the domain that may tell their country) never met before.
--
-- reads: changed_domains

select distinct phone_text, company_domain
from changed_domains
where phone_text is not null;
