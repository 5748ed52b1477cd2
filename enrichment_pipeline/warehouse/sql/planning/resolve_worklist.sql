-- After searches: persons that were found are looked up by the profile's UID, those that were not
-- have the second try due, and those that are for review or not known leave the work list.
--
-- reads: person_searches
-- makes: enrichment.worklist

delete from enrichment.worklist as listed
where listed.search_kind is not null
    and list_contains($lanes, concat(listed.freshness, '|', listed.priority))
    and not exists (
        select 1 from person_searches as searched
        where searched.person_key = listed.person_key
            and (searched.uid is not null or searched.search_kind is not null)
    );

update enrichment.worklist as listed
set
    lookup_identity = searched.uid,
    identity_kind = case when searched.uid is null then 'name' else 'uid' end,
    search_kind = searched.search_kind,
    last_search_id = searched.search_id
from person_searches as searched
where searched.person_key = listed.person_key
    and listed.search_kind is not null
    and list_contains($lanes, concat(listed.freshness, '|', listed.priority));
