-- The addresses that two providers or more give for a contact, each in its newest accepted answer,
-- and not since it was asked by it.
--
-- reads: raw.lookups, staging.checked_judgements, staging.judgements
-- makes: staging.agreed_addresses

delete from staging.agreed_addresses;

insert into staging.agreed_addresses by name
with newest as (
    select contact_id, provider, lookup_id, points
    from staging.checked_judgements
    where judgement = 'matched'
        and contact_id in (
            select contact_id
            from staging.judgements
            where judgement = 'matched'
            group by contact_id
            having count(distinct provider) > 1
        )
    qualify row_number() over (
        partition by contact_id, provider order by answered_at desc, lookup_id
    ) = 1
),

given as (
    select contact_id, provider, lookup_id, unnest(points) as point from newest
),

asked_by as (
    select lookup_id, email_address(item) as email from raw.lookups where item_kind = 'email'
)

select
    given.contact_id,
    given.point.value as email,
    list_sort(list(distinct given.provider)) as providers
from given
anti join asked_by
    on asked_by.lookup_id = given.lookup_id and asked_by.email = given.point.value
where ends_with(given.point.field, 'email')
group by given.contact_id, given.point.value
having count(distinct given.provider) > 1;
