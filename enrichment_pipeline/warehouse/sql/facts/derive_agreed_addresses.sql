-- The addresses that two providers or more give for a contact, each in its newest accepted answer.
--
-- reads: staging.checked_judgements, staging.judgements
-- makes: staging.agreed_addresses

delete from staging.agreed_addresses;

insert into staging.agreed_addresses by name
with newest as (
    select contact_id, provider, points
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
    select contact_id, provider, unnest(points) as point from newest
)

select contact_id, point.value as email, list_sort(list(distinct provider)) as providers
from given
where ends_with(point.field, 'email')
group by contact_id, point.value
having count(distinct provider) > 1;
