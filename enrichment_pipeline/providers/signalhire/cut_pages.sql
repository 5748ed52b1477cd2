-- How SignalHire's pages of found profiles are cut into profiles.
-- `place` is where one stands on its page.
--
-- reads: uncut_pages
-- makes: cut_profiles

create or replace temp view cut_profiles as
with lists as (
    -- what Python's reader took and DuckDB's does not stays in the ledger only
    select
        search_id,
        page,
        case when json_valid(body) then from_json(json_extract(body, '$.profiles'), '["JSON"]') end
            as profiles
    from uncut_pages
),

listed as (
    select
        search_id,
        page,
        unnest(profiles) as profile,
        generate_subscripts(profiles, 1) as place
    from lists
)

select search_id, page, place, lower(json_extract_string(profile, '$.uid')) as uid, profile
from listed;
