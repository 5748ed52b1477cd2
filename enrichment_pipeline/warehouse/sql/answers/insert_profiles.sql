-- Keep what one provider's answers were read into: `read_profiles`, by its own SQL file.
--
-- reads: read_profiles
-- makes: staging.profiles

insert into staging.profiles by name
select
    call_id, call_kind, position, $provider as provider, answered_at, path, unreadable_part, uid,
    full_name, headline, location, profile_urls, contact_points, positions, release,
    $reading as reading
from read_profiles;
