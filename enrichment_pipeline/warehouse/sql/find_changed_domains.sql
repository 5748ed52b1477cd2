-- The company domain of each changed contact: its own, else its e-mail's. A mail
-- provider's or a throw-away domain is nobody's company.

create or replace temp table changed_domains as
select
    part.contact_id,
    coalesce(company.registrable_domain, mail.registrable_domain) as company_domain,
    part.phone_text
from changed_parts as part
left join staging.hosts as company
    on company.host = part.company_host and not company.is_free_mail and not company.is_disposable
left join staging.hosts as mail
    on mail.host = part.email_host and not mail.is_free_mail and not mail.is_disposable;
