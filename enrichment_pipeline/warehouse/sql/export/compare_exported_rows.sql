-- What the place is to have now, and which of it is new to it. A value that was given and is not
-- shown any more cannot be taken back by an import, which passes over empty cells: its status is
-- withdrawn, for as long as there is no other. That somebody was looked up again is no change.
--
-- reads: crm_rows, exported_rows
-- makes: next_rows

create temp table next_rows as
with upcoming as (
    select
        coalesce(present.contact_id, former.contact_id) as contact_id,
        present.email,
        coalesce(
            present.email_status, if(former.email_status is not null, 'withdrawn', null)
        ) as email_status,
        present.phone,
        coalesce(
            present.phone_status, if(former.phone_status is not null, 'withdrawn', null)
        ) as phone_status,
        present.mobile_phone,
        coalesce(
            present.mobile_phone_status,
            if(former.mobile_phone_status is not null, 'withdrawn', null)
        ) as mobile_phone_status,
        present.job_title,
        present.company_name,
        present.linkedin_url,
        present.job_changed,
        present.enriched_on
    from crm_rows as present
    full join exported_rows as former on former.contact_id = present.contact_id
),

unchanged as (
    select upcoming.contact_id
    from upcoming
    join exported_rows as former on former.contact_id = upcoming.contact_id
    where row(
        upcoming.email, upcoming.email_status, upcoming.phone, upcoming.phone_status,
        upcoming.mobile_phone, upcoming.mobile_phone_status, upcoming.job_title,
        upcoming.company_name, upcoming.linkedin_url, upcoming.job_changed
    ) is not distinct from row(
        former.email, former.email_status, former.phone, former.phone_status,
        former.mobile_phone, former.mobile_phone_status, former.job_title, former.company_name,
        former.linkedin_url, former.job_changed
    )
)

select
    upcoming.*,
    upcoming.contact_id not in (select contact_id from unchanged) as is_new
from upcoming
order by upcoming.contact_id;
