-- What has changed of the values that people read since they were published last: one row for each
-- value, so that a reader who applies these rows one after the other has what is shown. Rows are
-- only ever added.
--
-- reads: enrichment.enriched_contacts, enrichment.person_facts, staging.shown_contacts
-- makes: changed_contacts, enrichment.contact_changes, staging.shown_contacts

create or replace temp table changed_contacts as
select
    coalesce(present.contact_id, former.contact_id) as contact_id,
    present.shown,
    former.shown as shown_before
from (
    select contact.contact_id, shown_values(contact) as shown
    from enrichment.enriched_contacts as contact
) as present
full join staging.shown_contacts as former on former.contact_id = present.contact_id
where present.shown is distinct from former.shown;

insert into enrichment.contact_changes by name
with
present as (
    select contact_id, unnest(shown, recursive := true)
    from changed_contacts
),

former as (
    select contact_id, unnest(shown_before, recursive := true)
    from changed_contacts
),

-- who gave each value last; no row where it is the source's own
givers as (
    select
        contact_id,
        field,
        value,
        arg_max(provider, (observed_at, lookup_id)) as provider,
        arg_max(lookup_id, (observed_at, lookup_id)) as lookup_id
    from enrichment.person_facts
    where contact_id in (select contact_id from changed_contacts)
    group by contact_id, field, value
),

changes as (
    select
        coalesce(present.contact_id, former.contact_id) as contact_id,
        coalesce(present.field, former.field) as field,
        former.value as old_value,
        present.value as new_value,
        former.status as old_status,
        present.status as new_status
    from present
    full join former on former.contact_id = present.contact_id and former.field = present.field
    where row(present.value, present.status) is distinct from row(former.value, former.status)
)

select
    changes.*,
    cast($changed_at as timestamptz) as changed_at,
    cast($run_id as varchar) as run_id,
    giver.provider,
    giver.lookup_id
from changes
left join givers as giver
    on giver.contact_id = changes.contact_id
    and giver.field = changes.field
    and giver.value = changes.new_value
order by changes.contact_id, changes.field;

delete from staging.shown_contacts
where contact_id in (select contact_id from changed_contacts);

insert into staging.shown_contacts by name
select contact_id, shown from changed_contacts where shown is not null;
