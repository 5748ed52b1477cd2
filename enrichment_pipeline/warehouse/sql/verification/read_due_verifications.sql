-- The addresses to verify in these lanes, in the order in which they are bought: by priority, and
-- within it by score; only of the persons of $contacts, where it is not null. With each comes what
-- admission compares with the suppressed identifiers.
--
-- reads: hashed_identifiers, staging.contact_identities, staging.due_verifications,
--        staging.entered_contacts, staging.ineligible_contacts

with due as (
    select *
    from staging.due_verifications
    where list_contains($lanes, concat(freshness, '|', priority))
        and contact_id not in (select contact_id from staging.ineligible_contacts)
        and (
            $contacts is null
            or person_key in (
                select person_key
                from staging.contact_identities
                where list_contains(cast($contacts as varchar[]), contact_id)
            )
        )
    -- one address of several contacts is bought once, for the most important of them
    qualify row_number() over (
        partition by email order by priority_rank, priority_score desc, contact_id
    ) = 1
),

known_by as (
    select person_key, list(distinct identifier) as identifiers
    from hashed_identifiers
    where person_key in (select person_key from due)
    group by person_key
)

select
    due.contact_id, due.email, address_key(due.email) as address_key, due.freshness,
    due.priority, due.last_verification_id,
    list_append(known_by.identifiers, hashed_identifier('email', due.email)) as identifiers,
    due.contact_id in (
        select contact_id from staging.entered_contacts where not is_in_source
    ) as is_entered
from due
left join known_by on known_by.person_key = due.person_key
order by due.priority_rank, due.priority_score desc, due.email
limit $limit;
