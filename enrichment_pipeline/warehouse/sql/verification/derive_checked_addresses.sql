-- The last word on each address: what its last verification says that said anything definite, but
-- for those of runs that were undone; it holds for $verified_days. One that has bounced is
-- withdrawn, whatever answers say of it then and later, unless its last verification since then
-- says that it is verified.
--
-- reads: raw.undone_runs, raw.verifications, staging.address_feedback,
--        staging.verification_readings
-- makes: staging.checked_addresses

delete from staging.checked_addresses;

insert into staging.checked_addresses by name
with bounced as (
    select email, bounced_at from staging.address_feedback where bounced_at is not null
),

told as (
    select
        verification.email,
        case
            when bounced.email is not null and reading.status <> 'verified' then 'withdrawn'
            else reading.status
        end as status,
        reading.is_personal,
        reading.rating,
        verification.provider,
        verification.answered_at as checked_at,
        case
            when bounced.email is not null and reading.status <> 'verified'
                then cast('infinity' as timestamptz)
            else verification.answered_at + to_days($verified_days)
        end as holds_until
    from raw.verifications as verification
    join staging.verification_readings as reading
        on reading.verification_id = verification.verification_id and reading.status is not null
    left join bounced on bounced.email = verification.email
    where verification.run_id not in (select run_id from raw.undone_runs)
        and coalesce(verification.answered_at > bounced.bounced_at, true)
    union all
    select
        email, 'withdrawn' as status, false as is_personal, 'hard' as rating,
        'feedback' as provider, bounced_at as checked_at,
        cast('infinity' as timestamptz) as holds_until
    from bounced
)

select *
from told
qualify row_number() over (partition by email order by checked_at desc, provider) = 1;
