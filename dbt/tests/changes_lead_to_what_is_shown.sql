-- The last change of each work e-mail gave what enriched_contacts shows.

with last_changes as (
    select
        contact_id,
        new_value,
        row_number() over (partition by contact_id order by changed_at desc) as place
    from {{ source('enrichment', 'contact_changes') }}
    where field = 'work_email'
)

select contact.contact_id
from {{ source('enrichment', 'enriched_contacts') }} as contact
join last_changes
    on last_changes.contact_id = contact.contact_id and last_changes.place = 1
where last_changes.new_value is distinct from contact.work_email
