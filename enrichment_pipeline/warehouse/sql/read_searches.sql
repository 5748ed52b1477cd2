-- The searches that are due in these lanes and this priority, in the order of the work list:
-- whom to search for, and what to ask. The company is the contact's own, else its account's,
-- else what answers call the domain, else the domain's label.

with known_by as (
    select person_key, list(distinct identifier) as identifiers
    from hashed_identifiers
    group by person_key
)

select
    listed.person_key,
    listed.contact_id,
    listed.search_kind,
    spoken_name(coalesce(
        clean_text(contact.full_name),
        clean_text(concat_ws(' ', clean_text(contact.first_name), clean_text(contact.last_name)))
    )) as full_name,
    coalesce(
        own.search_name,
        theirs.search_name,
        known.search_name,
        replace(split_part(part.company_domain, '.', 1), '-', ' ')
    ) as company,
    listed.freshness,
    listed.priority,
    listed.last_search_id,
    known_by.identifiers
from enrichment.worklist as listed
join staging.contacts as contact on contact.contact_id = listed.contact_id
join staging.contact_parts as part on part.contact_id = listed.contact_id
left join staging.accounts as account
    on account.account_id = contact.account_id and account.left_at is null
left join enrichment.company_facts as fact
    on fact.company_domain = part.company_domain and fact.field = 'name'
left join staging.company_names as own on own.company_name = clean_text(contact.company_name)
left join staging.company_names as theirs on theirs.company_name = clean_text(account.name)
left join staging.company_names as known on known.company_name = clean_text(fact.value)
left join known_by on known_by.person_key = listed.person_key
where listed.search_kind is not null
    and listed.priority = $priority
    and list_contains($lanes, concat(listed.freshness, '|', listed.priority))
order by
    listed.priority_score < 0,
    coalesce(listed.waiting_since, cast('epoch' as timestamptz)),
    -listed.priority_score,
    listed.person_key
limit $limit;
