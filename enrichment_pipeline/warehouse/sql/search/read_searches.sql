-- The searches that are due in these lanes and this priority, in the order of the work list:
-- the person to search for, and what to ask. The company is the contact's own, else its account's,
-- else what answers or other contacts call the domain, else a company that is called like the
-- domain's label, else the label. The second try leaves out how a company joins its names.
--
-- reads: enrichment.company_facts, enrichment.worklist, hashed_identifiers, staging.accounts,
--        staging.company_names, staging.contact_parts, staging.contacts,
--        staging.entered_contacts, staging.ineligible_contacts

with
called_by_contacts as (
    select part.company_domain, mode(company.search_name) as search_name
    from staging.contact_parts as part
    join staging.contacts as contact
        on contact.contact_id = part.contact_id and contact.left_at is null
    join staging.company_names as company
        on company.company_name = real_text(contact.company_name)
    group by part.company_domain
),

called_like_labels as (
    select replace(company_key, ' ', '') as label, min(search_name) as search_name
    from staging.company_names
    group by replace(company_key, ' ', '')
),

known_by as (
    select person_key, list(distinct identifier) as identifiers
    from hashed_identifiers
    group by person_key
)

select
    listed.person_key,
    listed.contact_id,
    listed.search_kind,
    spoken_name(written_name(contact.full_name, contact.first_name, contact.last_name))
        as full_name,
    regexp_replace(
        coalesce(
            own.search_name,
            theirs.search_name,
            known.search_name,
            others.search_name,
            alike.search_name,
            replace(split_part(part.company_domain, '.', 1), '-', ' ')
        ),
        -- a Postgres ledger holds no NUL byte
        case
            when listed.search_kind = 'current' then '\x00'
            else '(?i)\x00|\s+(?:&|\+|and|und|et|y)\s+'
        end,
        ' ', 'g'
    ) as company,
    listed.freshness,
    listed.priority,
    listed.last_search_id,
    known_by.identifiers,
    listed.contact_id in (
        select contact_id from staging.entered_contacts where not is_in_source
    ) as is_entered
from enrichment.worklist as listed
join staging.contacts as contact on contact.contact_id = listed.contact_id
join staging.contact_parts as part on part.contact_id = listed.contact_id
left join staging.accounts as account
    on account.account_id = contact.account_id and account.left_at is null
left join enrichment.company_facts as fact
    on fact.company_domain = part.company_domain and fact.field = 'name' and fact.valid_to is null
left join staging.company_names as own on own.company_name = real_text(contact.company_name)
left join staging.company_names as theirs on theirs.company_name = account.name
left join staging.company_names as known on known.company_name = fact.value
left join called_by_contacts as others on others.company_domain = part.company_domain
left join called_like_labels as alike
    on alike.label = regexp_replace(split_part(part.company_domain, '.', 1), '[^a-z0-9]', '', 'g')
left join known_by on known_by.person_key = listed.person_key
where listed.search_kind is not null
    and listed.contact_id not in (select contact_id from staging.ineligible_contacts)
    and listed.priority = $priority
    and list_contains($lanes, concat(listed.freshness, '|', listed.priority))
order by
    listed.priority_score < 0,
    coalesce(listed.waiting_since, cast('epoch' as timestamptz)),
    -listed.priority_score,
    listed.person_key
limit $limit;
