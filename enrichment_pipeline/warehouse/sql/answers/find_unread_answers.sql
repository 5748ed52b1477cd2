-- One provider's answers that tell of a person and have not been read into the common profile,
-- or were read by another version of its reading: that is forgotten. The provider's own
-- `read_profiles.sql` reads the view that this makes.
--
-- reads: raw.provider_responses, raw.search_profiles, raw.searches
-- makes: staging.profiles, unread_answers, unread_calls

delete from staging.profiles
where provider = $provider
    and reading <> $reading
    -- what was erased cannot be read again
    and call_id not in (select lookup_id from raw.provider_responses where is_erased);

create or replace temp table unread_calls as
select response.lookup_id as call_id, response.answered_at
from raw.provider_responses as response
where response.provider = $provider
    and response.outcome = 'matched'
    and response.is_erased is not true
    and not exists (
        select 1
        from staging.profiles as profile
        where profile.call_kind = 'lookup' and profile.call_id = response.lookup_id
    )
union all
select search.search_id, search.answered_at
from raw.searches as search
where search.provider = $provider
    and exists (
        select 1
        from raw.search_profiles as found
        where found.search_id = search.search_id and found.profile is not null
    )
    and not exists (
        select 1
        from staging.profiles as profile
        where profile.call_kind = 'search' and profile.call_id = search.search_id
    );

-- Nothing else is joined here: an answer is big, and would be copied to be looked up.
create or replace temp view unread_answers as
select
    response.lookup_id as call_id, 'lookup' as call_kind, 1 as position, response.answered_at,
    response.answer
from raw.provider_responses as response
where response.lookup_id in (select call_id from unread_calls)
union all
select
    found.search_id as call_id, 'search' as call_kind, found.position, unread.answered_at,
    found.profile as answer
from raw.search_profiles as found
join unread_calls as unread on unread.call_id = found.search_id;
