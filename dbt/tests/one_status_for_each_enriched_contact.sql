-- Whoever shows an answer stands in contact_status, once.

select contact.contact_id
from {{ source('enrichment', 'enriched_contacts') }} as contact
left join {{ source('enrichment', 'contact_status') }} as status
    on status.contact_id = contact.contact_id
group by contact.contact_id
having count(status.contact_id) <> 1
