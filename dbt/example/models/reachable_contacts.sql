-- Who can be written to: a verified address at work, and an account.

select
    contact.contact_id,
    contact.full_name,
    contact.work_email,
    account.name as account_name,
    contact.enriched_at
from {{ source('enrichment', 'enriched_contacts') }} as contact
left join {{ source('enrichment', 'accounts') }} as account
    on account.account_id = contact.account_id
where contact.work_email_status = 'verified'
