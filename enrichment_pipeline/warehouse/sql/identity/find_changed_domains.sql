-- The company domain of each changed contact: its own, else its account's, else its e-mail's.
-- A mail provider's or a throw-away domain is no company's.
--
-- reads: changed_parts, staging.hosts
-- makes: changed_domains

create or replace temp table changed_domains as
with company_hosts as (
    select host, registrable_domain
    from staging.hosts
    where not is_free_mail and not is_disposable
)

select
    part.contact_id,
    coalesce(
        company.registrable_domain, account.registrable_domain, mail.registrable_domain
    ) as company_domain,
    -- without the account's
    coalesce(company.registrable_domain, mail.registrable_domain) as own_domain,
    part.phone_text
from changed_parts as part
left join company_hosts as company on company.host = part.company_host
left join company_hosts as account on account.host = part.account_domain
left join company_hosts as mail on mail.host = part.email_host;
