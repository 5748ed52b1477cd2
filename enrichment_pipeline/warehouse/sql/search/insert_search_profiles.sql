-- Cut pages of raw answers to searches (registered as `body_page`) into their profiles. One
-- that comes on two pages counts once.
--
-- reads: body_page
-- makes: raw.search_profiles

insert into raw.search_profiles (search_id, position, uid, profile)
with lists as (
    -- what Python's reader took and DuckDB's does not stays in the ledger only
    select
        search_id,
        page,
        case when json_valid(body) then from_json(json_extract(body, '$.profiles'), '["JSON"]') end
            as profiles
    from body_page
),

listed as (
    select
        search_id,
        page,
        unnest(profiles) as profile,
        generate_subscripts(profiles, 1) as place
    from lists
),

identified as (
    select
        search_id,
        cast(row_number() over (partition by search_id order by page, place) as integer)
            as position,
        lower(json_extract_string(profile, '$.uid')) as uid,
        profile
    from listed
)

select search_id, position, uid, profile
from identified
where uid is not null
qualify row_number() over (partition by search_id, uid order by position) = 1;
