-- Take over what became of mail (`incoming_bounces`), in place of what was known. An address to
-- which mail was delivered after it bounced has not bounced. A person may have moved on where mail
-- to their address, the source's own or one that an accepted answer gave, arrived before and
-- bounces now; an address that several share tells nothing of a person.
--
-- reads: incoming_bounces, staging.contact_parts, staging.contact_persons, staging.judgements,
--        staging.shared_identifiers
-- makes: staging.address_feedback, staging.bounced_persons

delete from staging.address_feedback;

insert into staging.address_feedback by name
with told as (
    select
        email,
        min(first_at) filter (kind = 'hard') as first_bounced_at,
        max(last_at) filter (kind = 'hard') as bounced_at,
        min(first_at) filter (kind = 'delivered') as first_delivered_at,
        max(last_at) filter (kind = 'delivered') as last_delivered_at,
        bool_or(kind = 'complaint') as has_complained
    from incoming_bounces
    where email is not null
    group by email
)

select
    * replace (
        case when coalesce(last_delivered_at < bounced_at, true) then bounced_at end as bounced_at
    )
from told;

delete from staging.bounced_persons;

insert into staging.bounced_persons by name
with left_behind as (
    select email, first_bounced_at
    from staging.address_feedback
    where bounced_at is not null and first_delivered_at < first_bounced_at
),

borne as (
    select assigned.person_key, part.email
    from staging.contact_parts as part
    join staging.contact_persons as assigned on assigned.contact_id = part.contact_id
    union
    select person_key, point.value as email
    from (
        select person_key, unnest(points) as point
        from staging.judgements
        where judgement = 'matched'
    )
    where ends_with(point.field, 'email')
)

-- further mail that comes back from there says nothing new
select borne.person_key, max(left_behind.first_bounced_at) as bounced_at
from borne
join left_behind on left_behind.email = borne.email
where not is_role_address(borne.email)
    and 'email:' || borne.email not in (select alias from staging.shared_identifiers)
group by borne.person_key;
