-- What the check of an address does to the e-mails of the answers that give it: a better status
-- than the provider's own, or the address is left out. The best of each field comes first again.
-- What a provider says after a check has expired counts as it says it.
--
-- reads: staging.checked_addresses, staging.judgements
-- makes: staging.checked_points

delete from staging.checked_points;

insert into staging.checked_points by name
with given as (
    select contact_id, lookup_id, answered_at, unnest(points) as point
    from staging.judgements
    where judgement = 'matched'
),

concerned as (
    select distinct given.contact_id, given.lookup_id
    from given
    join staging.checked_addresses as checked
        on checked.email = given.point.value and given.answered_at < checked.holds_until
),

rated as (
    select
        given.contact_id,
        given.lookup_id,
        given.point,
        case
            when checked.is_personal and given.point.field = 'work_email' then 'personal_email'
            else given.point.field
        end as field,
        case
            when checked.status = 'withdrawn'
                or status_rank(checked.status) < status_rank(given.point.status)
                then checked.status
            else given.point.status
        end as status
    from given
    semi join concerned
        on concerned.contact_id = given.contact_id and concerned.lookup_id = given.lookup_id
    left join staging.checked_addresses as checked
        on checked.email = given.point.value and given.answered_at < checked.holds_until
),

placed as (
    select
        *,
        row_number() over (
            partition by contact_id, lookup_id, field
            order by status_rank(status), point.position, point.value
        ) as position
    from rated
    where status <> 'withdrawn'
)

select
    concerned.contact_id,
    concerned.lookup_id,
    list({
        'field': placed.field, 'value': placed.point.value, 'position': placed.position,
        'given_type': placed.point.given_type, 'given_sub_type': placed.point.given_sub_type,
        'confidence': placed.point.confidence, 'status': placed.status
    }) filter (placed.field is not null) as points
from concerned
left join placed
    on placed.contact_id = concerned.contact_id and placed.lookup_id = concerned.lookup_id
group by concerned.contact_id, concerned.lookup_id;
