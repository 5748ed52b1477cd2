-- What the entries among the contacts of $relation have come to: as contact_status says it, with
-- the values that are shown, and where each is from. An entry that retired shows what the source's
-- contact does.
--
-- reads: enrichment.contact_status, enrichment.enriched_contacts, enrichment.person_facts,
--        enrichment.worklist, staging.entered_contacts, staging.retired_entries

with
asked as (
    select
        entered.contact_id,
        entered.version,
        coalesce(retired.entered_as, entered.contact_id) as shown_id
    from staging.entered_contacts as entered
    left join staging.retired_entries as retired on retired.contact_id = entered.contact_id
    where entered.contact_id in (select contact_id from query_table($relation))
),

shown as (
    select
        asked.contact_id,
        best.contact_id as shown_id,
        best.person_key,
        unnest([
            'work_email', 'personal_email', 'direct_phone', 'mobile_phone', 'full_name',
            'job_title', 'seniority', 'company_name', 'company_domain', 'company_website',
            'company_industry', 'company_employee_count', 'linkedin_url', 'location'
        ]) as field,
        unnest([
            work_email, personal_email, direct_phone, mobile_phone, full_name,
            job_title, seniority, company_name, company_domain, company_website,
            company_industry, company_employee_count, linkedin_url, location
        ]) as value,
        -- nothing else is rated
        unnest([
            work_email_status, personal_email_status, direct_phone_status, mobile_phone_status
        ]) as status
    from asked
    join enrichment.enriched_contacts as best on best.contact_id = asked.shown_id
),

-- who said so last; a reviewer's word counts more. What the source or the application itself gave
-- has no provider.
observed as (
    select
        contact_id,
        person_key,
        field,
        value,
        arg_max(provider, (provider = 'human', observed_at, lookup_id)) as provider,
        arg_max(observed_at, (provider = 'human', observed_at, lookup_id)) as observed_at
    from enrichment.person_facts
    where contact_id in (select shown_id from asked)
    group by contact_id, person_key, field, value
),

listed as (
    select
        shown.contact_id,
        list({
            'key': shown.field,
            'value': {
                'value': shown.value,
                'status': shown.status,
                'provider': observed.provider,
                'observed_at': strftime(
                    make_timestamp(epoch_us(observed.observed_at)), '%Y-%m-%dT%H:%M:%S.%fZ'
                )
            }
        } order by shown.field) as fields
    from shown
    left join observed
        on observed.contact_id = shown.shown_id
        and observed.person_key is not distinct from shown.person_key
        and observed.field = shown.field
        and observed.value = shown.value
    where shown.value is not null
    group by shown.contact_id
)

select
    asked.contact_id,
    asked.version,
    state.status,
    state.reason,
    state.status = 'needs_review' as needs_manual_enrichment,
    coalesce(cast(to_json(map_from_entries(listed.fields)) as varchar), '{}') as fields,
    shown_state.next_lookup_at,
    state.priority,
    state.person_key in (
        select person_key from enrichment.worklist where search_kind is not null
    ) as is_to_be_searched
from asked
join enrichment.contact_status as state on state.contact_id = asked.contact_id
join enrichment.contact_status as shown_state on shown_state.contact_id = asked.shown_id
left join listed on listed.contact_id = asked.contact_id
order by asked.contact_id;
