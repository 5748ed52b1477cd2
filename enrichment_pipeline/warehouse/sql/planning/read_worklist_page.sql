-- The next page of the lanes' work at $provider after a given place, in the order in which it is to
-- be bought: highest priority first, within it who has waited longest (those without an
-- account last), then the highest score.
-- Passed over are persons who have been looked up since at the provider that is to be asked, and
-- contacts that a later load found not eligible. With each person comes what admission compares
-- with the suppressed identifiers, and, by themselves, those that are this person's alone, with the
-- profile that a search has found: by these it knows the person in other calls to this provider, so
-- the ids of others' profiles are left out. What was entered alone may be taken back before it is
-- bought.
--
-- reads: enrichment.worklist, hashed_identifiers, raw.lookups, staging.entered_contacts,
--        staging.ineligible_contacts, staging.person_aliases

with ordered as (
    select
        *,
        priority_rank(priority) as priority_rank,
        priority_score < 0 as has_no_account,
        -priority_score as descending_score,
        coalesce(waiting_since, cast('epoch' as timestamptz)) as waiting_from
    from enrichment.worklist
    where provider = $provider
        and list_contains($lanes, concat(freshness, '|', priority))
        -- a name and a company may have to be searched for first
        and lookup_identity is not null
        and contact_id not in (select contact_id from staging.ineligible_contacts)
        and not exists (
            select 1 from raw.lookups as lookup
            where lookup.person_key = worklist.person_key
                and lookup.provider = worklist.provider
                and lookup.supersedes = worklist.supersedes
                and lookup.state <> 'released'
        )
),

page as (
    select
        contact_id, person_key, freshness, priority, lookup_identity, identity_kind, supersedes,
        coalesce(ledger_revision, 0) as ledger_revision, priority_rank, has_no_account,
        waiting_from, descending_score, provider
    from ordered
    where (priority_rank, has_no_account, waiting_from, descending_score, person_key) > (
        $after_rank, $after_account, cast($after_waiting as timestamptz), $after_score,
        $after_person
    )
    order by priority_rank, has_no_account, waiting_from, descending_score, person_key
    limit $limit
),

known_by as (
    select person_key, list(distinct identifier) as identifiers
    from hashed_identifiers
    where person_key in (select person_key from page)
    group by person_key
),

owned_aliases as (
    select page.person_key, page.provider, owned.alias
    from page
    join staging.person_aliases as owned on owned.person_key = page.person_key
    union all
    select person_key, provider, uid_alias(provider, lookup_identity) as alias
    from page
    where identity_kind = 'uid'
),

owned as (
    select
        person_key,
        list(distinct hashed_alias(alias)) as identifiers
    from owned_aliases
    where split_part(alias, ':', 1) in ('email', 'linkedin', 'phone')
        or (is_uid_alias(alias) and provider_in_alias(alias) = provider)
    group by person_key
)

select
    page.contact_id, page.person_key, page.freshness, page.priority, page.lookup_identity,
    page.identity_kind, page.supersedes, known_by.identifiers, owned.identifiers as known_by,
    page.ledger_revision, page.priority_rank, page.has_no_account, page.waiting_from,
    page.descending_score,
    page.contact_id in (
        select contact_id from staging.entered_contacts where not is_in_source
    ) as is_entered
from page
left join known_by on known_by.person_key = page.person_key
left join owned on owned.person_key = page.person_key
order by
    page.priority_rank, page.has_no_account, page.waiting_from, page.descending_score,
    page.person_key;
