-- Searches that gave profiles, where these are not yet in raw.search_profiles.
--
-- reads: raw.search_profiles, raw.searches

select search_id
from raw.searches
where state = 'answered'
    and outcome = 'found'
    and search_id not in (select search_id from raw.search_profiles)
order by search_id;
