-- The chosen values of every contact that has an accepted answer. A column that
-- `choose_values.sql` makes comes along by itself.
--
-- reads: chosen_values, judged_contacts, staging.told_changes
-- makes: changed_enriched_contacts, enrichment.enriched_contacts

delete from enrichment.enriched_contacts
where contact_id not in (select contact_id from judged_contacts where enriched_at is not null);

-- what has changed goes, and comes again with what is new
create or replace temp table changed_enriched_contacts as
select fresh.*
from (
    select
        judged.contact_id,
        judged.account_id,
        judged.person_key,
        chosen.* exclude (
            contact_id, has_values, has_colleagues_values, our_company_name, our_company_domain,
            known_points
        ),
        judged.provider,
        judged.enriched_at,
        expiry(judged.enriched_at, told, $max_age_days) as expires_at,
        judged.lookup_id,
        judged.run_id,
        judged.reason is not null as needs_manual_enrichment
    from judged_contacts as judged
    join chosen_values as chosen on chosen.contact_id = judged.contact_id
    left join staging.told_changes as told on told.lookup_id = judged.lookup_id
    where judged.enriched_at is not null
) as fresh
left join enrichment.enriched_contacts as known on known.contact_id = fresh.contact_id
where fresh is distinct from known;

delete from enrichment.enriched_contacts
where contact_id in (select contact_id from changed_enriched_contacts);

insert into enrichment.enriched_contacts by name
select * from changed_enriched_contacts;
