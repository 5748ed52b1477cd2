-- What a CRM is given of the contacts that are enriched: each e-mail and phone only where its
-- status is one of those asked for, so that no other is imported as if it were.
--
-- reads: enrichment.contact_status, enrichment.enriched_contacts
-- makes: crm_rows

create temp table crm_rows as
with shown as (
    select
        contact.contact_id,
        case when list_contains($statuses, work_email_status) then work_email end as email,
        work_email_status as email_status,
        case when list_contains($statuses, direct_phone_status) then direct_phone end as phone,
        direct_phone_status as phone_status,
        case when list_contains($statuses, mobile_phone_status) then mobile_phone end
            as mobile_phone,
        mobile_phone_status,
        job_title,
        contact.company_name,
        linkedin_url,
        job_changed,
        cast(make_timestamp(epoch_us(enriched_at)) as date) as enriched_on
    from enrichment.enriched_contacts as contact
    join enrichment.contact_status as status on status.contact_id = contact.contact_id
    where status.status = 'enriched'
)

select
    contact_id,
    email,
    case when email is not null then email_status end as email_status,
    phone,
    case when phone is not null then phone_status end as phone_status,
    mobile_phone,
    case when mobile_phone is not null then mobile_phone_status end as mobile_phone_status,
    job_title,
    company_name,
    linkedin_url,
    job_changed,
    enriched_on
from shown;
