-- How SignalHire's pages of found profiles are cut into profiles.
--
-- Reads `uncut_pages`: search_id, page, body. Makes the view `cut_profiles`: one row for each
-- profile, in the order in which it stands on its page.

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
