-- Name keys of other scripts, of those who were searched for and of found profiles.
--
-- reads: found_profiles, searched_contacts, staging.latin_names

with named as (
    select our_name_key as name_key from searched_contacts
    union
    select their_name_key as name_key from found_profiles
)

select distinct name_key
from named
where regexp_matches(name_key, '[^a-z0-9 ]')
    and name_key not in (select name_key from staging.latin_names);
