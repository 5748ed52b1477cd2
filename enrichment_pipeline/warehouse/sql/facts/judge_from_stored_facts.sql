-- From an older version, which stored one row for each value: put together again how each answer
-- was judged for each contact. Values of reviewers are left: the view reads them from what was
-- decided. What was stored is there no more afterwards.
--
-- makes: enrichment.company_facts, enrichment.stored_facts, staging.judgements,
--        staging.read_answers

alter table enrichment.stored_facts add column if not exists given_type varchar;
alter table enrichment.stored_facts add column if not exists given_sub_type varchar;
create table if not exists staging.read_answers (
    contact_id varchar, lookup_id varchar, basis varchar
);

insert into staging.judgements by name
with put_together as (
    select
        contact_id,
        lookup_id,
        any_value(person_key) as person_key,
        any_value(provider) as provider,
        any_value(observed_at) as answered_at,
        any_value(run_id) as run_id,
        any_value(value) filter (field = 'lookup_outcome') as judgement,
        coalesce(bool_or(field = 'lookup_outcome' and confidence = 'human'), false) as is_decided,
        any_value(value) filter (field = 'outcome_detail') as detail,
        any_value(value) filter (field = 'provider_uid') as provider_uid,
        any_value(value) filter (field = 'full_name') as full_name,
        any_value(value) filter (field = 'location') as location,
        any_value(value) filter (field = 'linkedin_url') as linkedin_url,
        any_value(value) filter (field = 'job_title') as job_title,
        any_value(value) filter (field = 'seniority') as seniority,
        any_value(value) filter (field = 'company_name') as company_name,
        any_value(value) filter (field = 'company_domain') as company_domain,
        any_value(value) filter (field = 'company_website') as company_website,
        any_value(value) filter (field = 'company_industry') as company_industry,
        any_value(value) filter (field = 'company_employee_count') as company_employee_count,
        list({
            'field': field, 'value': value, 'position': position, 'given_type': given_type,
            'given_sub_type': given_sub_type, 'confidence': confidence, 'status': status
        } order by field, position) filter (
            field in ('work_email', 'personal_email', 'direct_phone', 'mobile_phone')
        ) as points,
        list(distinct { 'field': field, 'valid_to': valid_to }) filter (valid_to is not null)
            as closed
    from enrichment.stored_facts
    where provider <> 'human'
    group by contact_id, lookup_id
)

select put_together.* exclude (closed), list_sort(closed) as closed, read_before.basis
from put_together
join staging.read_answers as read_before
    on read_before.contact_id = put_together.contact_id
    and read_before.lookup_id = put_together.lookup_id
where judgement is not null;

-- what was read before the reading was booked is read anew
delete from enrichment.company_facts
where lookup_id not in (select lookup_id from staging.judgements);

drop table enrichment.stored_facts;

drop table staging.read_answers;
