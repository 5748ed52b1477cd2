-- One row for every contact of the source, whatever became of it, and for every entry: one that
-- retired has the row of the source's contact in whose favour it did.
--
-- reads: chosen_values, judged_contacts, staging.retired_entries
-- makes: changed_statuses, enrichment.contact_status

delete from enrichment.contact_status
where contact_id not in (select contact_id from judged_contacts)
    and contact_id not in (select contact_id from staging.retired_entries);

-- what has changed goes, and comes again with what is new
create or replace temp table changed_statuses as
with judged_statuses as not materialized (
    select
        judged.contact_id,
        judged.status,
        judged.freshness,
        judged.freshness_reason,
        judged.priority,
        coalesce(
            judged.reason,
            case
                when judged.freshness_reason = 'not_eligible' then 'not_eligible'
                when judged.is_waiting_for_provider and judged.status in ('queued', 'in_flight')
                    then 'waiting_for_provider'
            end
        ) as reason,
        case when judged.freshness not in ('unusable', 'suppressed') then judged.due_at end
            as next_lookup_at,
        judged.account_id,
        judged.person_key,
        chosen.company_domain,
        chosen.company_name,
        chosen.company_website,
        chosen.company_industry,
        chosen.company_employee_count
    from judged_contacts as judged
    join chosen_values as chosen on chosen.contact_id = judged.contact_id
),

everybody as (
    select * from judged_statuses
    union all
    select state.* replace (
        retired.contact_id as contact_id, 'entered_as' as reason, null as next_lookup_at
    )
    from staging.retired_entries as retired
    join judged_statuses as state on state.contact_id = retired.entered_as
)

select fresh.*
from everybody as fresh
left join enrichment.contact_status as known on known.contact_id = fresh.contact_id
where fresh is distinct from known;

delete from enrichment.contact_status
where contact_id in (select contact_id from changed_statuses);

insert into enrichment.contact_status by name
select * from changed_statuses;
