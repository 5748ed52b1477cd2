-- Of what is listed at $provider in the lanes, only the first $lookups stay, in the order in which
-- they are bought; see `read_worklist_page.sql`.
--
-- reads: enrichment.worklist
-- makes: enrichment.worklist

delete from enrichment.worklist
where provider = $provider
    and list_contains($lanes, concat(freshness, '|', priority))
    and person_key not in (
        select person_key
        from enrichment.worklist
        where provider = $provider
            and list_contains($lanes, concat(freshness, '|', priority))
        order by
            priority_rank(priority), priority_score < 0,
            coalesce(waiting_since, cast('epoch' as timestamptz)), priority_score desc, person_key
        limit $lookups
    );
