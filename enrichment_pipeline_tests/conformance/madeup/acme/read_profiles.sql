-- How Acme Directory's answers read into the common profile.
-- version: 1 (another number has all answers read anew)
--
-- reads: unread_answers
-- makes: read_profiles

create or replace temp view read_profiles as
select
    call_id,
    call_kind,
    position,
    answered_at,
    '$.person' as path,
    null as unreadable_part,
    answer ->> '$.person.id' as uid,
    null as full_name,
    null as headline,
    null as location,
    [answer ->> '$.person.linkedin'] as profile_urls,
    [{
        'kind': 'email',
        'field': 'work_email',
        'value': answer ->> '$.person.email',
        'status': 'likely',
        'rating': null,
        'given_type': null,
        'given_sub_type': null
    }] as contact_points,
    null as positions,
    null as release
from unread_answers;
