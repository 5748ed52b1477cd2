-- How the verifier's answers read: what mail to an address meets, as Hunter says.
-- version: 1 (another number has all verifications read anew)
-- failed by item: in_progress, mail_server_failed, unknown
--
-- A status is verified, likely, unverified, or withdrawn where there is no such mailbox, or it is
-- thrown away in a moment; null where nothing definite is said. At a host that takes every address
-- it is likely where Hunter is sure of it, else unverified. Webmail is a personal address, and is
-- not checked further.
--
-- reads: unread_verifications
-- makes: read_verifications

-- the parts of an answer that are read
create or replace temp macro hunter_verification() as '{
    "data": {"status": "VARCHAR", "score": "DOUBLE", "email": "VARCHAR"}
}';

create or replace temp macro hunter_verified_status(data) as case data.status
    when 'valid' then 'verified'
    when 'webmail' then 'likely'
    when 'accept_all' then case when data.score >= 90 then 'likely' else 'unverified' end
    when 'invalid' then 'withdrawn'
    when 'disposable' then 'withdrawn'
end;

create or replace temp view read_verifications as
with
-- what is no JSON says nothing, and neither does what has no texts where they are read
told as (
    select
        call_id,
        case
            when json_valid(body)
                and json_type(body, '$.data.status') = 'VARCHAR'
                and json_type(body, '$.data.email') = 'VARCHAR'
                then from_json(body, hunter_verification()).data
        end as data
    from unread_verifications
)

select
    call_id,
    data.email as email,
    hunter_verified_status(data) as status,
    data.status as rating,
    coalesce(data.status = 'webmail', false) as is_personal
from told;
