-- Keep the profiles that pages of raw answers to searches were cut into (`cut_profiles`, by the
-- provider's own `cut_pages.sql`). One that comes on two pages counts once.
--
-- reads: cut_profiles
-- makes: raw.search_profiles

insert into raw.search_profiles (search_id, position, uid, profile)
with identified as (
    select
        search_id,
        cast(row_number() over (partition by search_id order by page, place) as integer)
            as position,
        uid,
        profile
    from cut_profiles
)

select search_id, position, uid, profile
from identified
where uid is not null
qualify row_number() over (partition by search_id, uid order by position) = 1;
