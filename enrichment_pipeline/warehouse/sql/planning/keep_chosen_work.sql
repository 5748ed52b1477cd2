-- Of what is listed at $provider in the lanes, only the persons of these contacts ($contacts) stay.
--
-- reads: staging.contact_identities
-- makes: enrichment.worklist

delete from enrichment.worklist
where provider = $provider
    and list_contains($lanes, concat(freshness, '|', priority))
    and person_key not in (
        select person_key
        from staging.contact_identities
        where list_contains($contacts, contact_id) and person_key is not null
    );
