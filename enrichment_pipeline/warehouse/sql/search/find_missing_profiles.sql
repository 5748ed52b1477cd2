-- Searches that found somebody, and whose profiles are not yet in raw.search_profiles.
--
-- reads: raw.search_profiles, raw.searches

select search_id
from raw.searches
where state = 'answered'
    and outcome = 'found'
    and search_id not in (select search_id from raw.search_profiles)
order by search_id;
