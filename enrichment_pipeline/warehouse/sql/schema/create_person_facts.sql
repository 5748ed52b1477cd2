-- What answers and reviewers gave, one row for each value. Nothing is stored here: the rows
-- follow from one wide row for each answer to each contact, and from what reviewers decided.
--
-- reads: raw.review_decisions, staging.checked_addresses, staging.checked_judgements,
--        staging.judgements
-- makes: enrichment.person_facts

create or replace view enrichment.person_facts as
with
plain as (
    select
        contact_id, person_key, provider, answered_at, lookup_id, run_id, closed,
        unnest([
            'provider_uid', 'full_name', 'location', 'linkedin_url', 'job_title', 'seniority',
            'company_name', 'company_domain', 'company_website', 'company_industry',
            'company_employee_count', 'outcome_detail'
        ]) as field,
        unnest([
            provider_uid, full_name, location, linkedin_url, job_title, seniority,
            company_name, company_domain, company_website, company_industry,
            company_employee_count, detail
        ]) as value
    from staging.judgements
),

rated as (
    select
        contact_id, person_key, provider, answered_at, lookup_id, run_id, closed,
        unnest(points) as point
    from staging.checked_judgements
),

answered as (
    select
        contact_id, person_key, field, value, 1 as position, provider,
        cast(null as varchar) as confidence, cast(null as varchar) as status,
        answered_at, lookup_id, run_id, closed,
        cast(null as varchar) as given_type, cast(null as varchar) as given_sub_type
    from plain
    where value is not null
    union all
    select
        contact_id, person_key, point.field, point.value, point.position, provider,
        point.confidence, point.status, answered_at, lookup_id, run_id, closed, point.given_type,
        point.given_sub_type
    from rated
    union all
    select
        contact_id, person_key, 'lookup_outcome' as field, judgement, 1 as position, provider,
        case when is_decided then 'human' end as confidence, null as status, answered_at,
        lookup_id, run_id, closed, null as given_type, null as given_sub_type
    from staging.judgements
)

select
    contact_id,
    person_key,
    field,
    value,
    position,
    provider,
    confidence,
    status,
    answered_at as observed_at,
    lookup_id,
    run_id,
    answered_at as valid_from,
    list_filter(closed, lambda each: each.field = field)[1].valid_to as valid_to,
    given_type,
    given_sub_type
from answered
union all
-- what reviewers gave instead: nothing that a provider says takes over from it, only the next
-- value that a reviewer gives
select
    contact_id,
    person_key,
    field,
    value,
    1 as position,
    'human' as provider,
    'human' as confidence,
    case when ends_with(field, '_email') or ends_with(field, '_phone') then 'verified' end
        as status,
    decided_at as observed_at,
    decision_id as lookup_id,
    null as run_id,
    decided_at as valid_from,
    lead(decided_at) over (
        partition by contact_id, person_key, field
        order by decided_at, recorded_at, decision_id desc
    ) as valid_to,
    null as given_type,
    null as given_sub_type
from raw.review_decisions as decided
where decision = 'replace'
    and not exists (
        select 1
        from staging.checked_addresses as checked
        where checked.email = decided.value
            and checked.status = 'withdrawn'
            and checked.checked_at > decided.decided_at
    );
comment on view enrichment.person_facts
is 'Every value that an answer or a reviewer gave, with where it came from: the provenance and the history';
comment on column enrichment.person_facts.contact_id is 'The source''s id of the contact';
comment on column enrichment.person_facts.person_key is 'One key per human being';
comment on column enrichment.person_facts.value
is 'As the provider gives it; e-mails and phones normalised';
comment on column enrichment.person_facts.provider is 'Who said so; human for a reviewer';
comment on column enrichment.person_facts.observed_at is 'When the answer came';
comment on column enrichment.person_facts.lookup_id
is 'The look-up that gave it; for a reviewer''s value the decision';
comment on column enrichment.person_facts.run_id is 'The run that bought it';
comment on column enrichment.person_facts.valid_from
is 'From when it held, as far as is known: the observation';
comment on column enrichment.person_facts.field
is 'What the value is; lookup_outcome is how the answer as a whole was judged';
comment on column enrichment.person_facts.position
is 'Order among several values of one field in one answer, from 1';
comment on column enrichment.person_facts.confidence
is 'The provider''s rating as given; human where a reviewer decided';
comment on column enrichment.person_facts.status
is 'The rating mapped: verified, likely or unverified; null for what is not rated';
comment on column enrichment.person_facts.valid_to
is 'When the same provider gave this field anew; null while it is the newest';

comment on column enrichment.person_facts.given_type
is 'The provider''s type of an e-mail or phone as given; null for other fields';
comment on column enrichment.person_facts.given_sub_type
is 'The provider''s sub-type of an e-mail or phone as given; null for other fields';
