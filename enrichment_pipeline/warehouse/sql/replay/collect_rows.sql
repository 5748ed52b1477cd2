-- The tables as they are, in a form in which they can be compared with what they were: each
-- row of the outcomes whole, each value of the facts. `first_flagged_at` tells when it was
-- looked at, not what was found.
--
-- reads: enrichment.company_facts, enrichment.contact_status, enrichment.enriched_contacts,
--        enrichment.needs_review, enrichment.person_facts
-- makes: collected_facts, collected_rows

create or replace temp table collected_rows as
select 'enriched_contacts' as table_name, enriched.contact_id as id, to_json(enriched) as content
from enrichment.enriched_contacts as enriched
union all
select 'needs_review' as table_name, flagged.contact_id as id, to_json(flagged) as content
from (select * exclude (first_flagged_at) from enrichment.needs_review) as flagged
union all
select 'contact_status' as table_name, standing.contact_id as id, to_json(standing) as content
from enrichment.contact_status as standing;

create or replace temp table collected_facts as
select
    'person_facts' as table_name, contact_id as id, field, value, provider, status, lookup_id,
    valid_to
from enrichment.person_facts
union all
select
    'company_facts' as table_name, company_domain as id, field, value, provider, null as status,
    lookup_id, valid_to
from enrichment.company_facts;
