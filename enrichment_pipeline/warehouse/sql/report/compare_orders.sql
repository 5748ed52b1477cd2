-- What asking the providers in each possible order costs, for each person that is asked about, and
-- the share of them for whom it brings a verified e-mail: by what each cost, with verifying its
-- addresses, and brought when it was asked after the same others, from $since on. An order is known
-- where each of its steps was made for $least_people at least; else the first step is named that
-- was not. Of providers that brought no verified e-mail there is no order, since all is the same
-- without them.
--
-- reads: enrichment.lookup_costs, enrichment.lookups, enrichment.person_facts

with recursive
rounds as (
    select
        *,
        row_number() over (
            partition by person_key, provider order by requested_at, lookup_id
        ) as round
    from enrichment.lookups
    where state = 'answered' and requested_at >= cast($since as timestamptz)
),

bringing as (
    select distinct lookup_id
    from enrichment.person_facts
    where field in ('work_email', 'personal_email') and status = 'verified'
),

steps as (
    select
        asked.provider,
        list_sort(coalesce(list(asked.provider) over earlier, [])) as asked_before,
        coalesce(bool_or(bringing.lookup_id is not null) over earlier, false) as is_settled,
        bringing.lookup_id is not null as brings,
        cast(priced.cost as double) as cost
    from rounds as asked
    join enrichment.lookup_costs as priced on priced.lookup_id = asked.lookup_id
    left join bringing on bringing.lookup_id = asked.lookup_id
    window earlier as (
        partition by asked.person_key, asked.round
        order by asked.requested_at, asked.lookup_id
        rows between unbounded preceding and 1 preceding
    )
),

-- what those before had settled already tells nothing of what they leave open
known_steps as (
    select
        provider,
        asked_before,
        count(*) as people,
        avg(cost) as cost,
        avg(cast(brings as integer)) as brought_share
    from steps
    where not is_settled
    group by provider, asked_before
),

useful as (
    select provider from steps group by provider having bool_or(brings)
),

orders as (
    select
        cast([] as varchar[]) as providers,
        cast(0 as double) as cost,
        cast(1 as double) as open_share,
        cast(null as bigint) as people,
        cast(null as varchar) as unknown_provider,
        cast([] as varchar[]) as unknown_after
    union all
    select
        list_append(so_far.providers, useful.provider) as providers,
        so_far.cost + so_far.open_share * coalesce(step.cost, 0) as cost,
        so_far.open_share * (1 - coalesce(step.brought_share, 0)) as open_share,
        least(so_far.people, coalesce(step.people, 0)) as people,
        case
            when so_far.unknown_provider is not null then so_far.unknown_provider
            when coalesce(step.people, 0) < $least_people then useful.provider
        end as unknown_provider,
        case
            when so_far.unknown_provider is not null then so_far.unknown_after
            when coalesce(step.people, 0) < $least_people then so_far.providers
            else []
        end as unknown_after
    from orders as so_far
    join useful on not list_contains(so_far.providers, useful.provider)
    left join known_steps as step
        on step.provider = useful.provider
        and step.asked_before = list_sort(so_far.providers)
)

select
    providers,
    cost,
    1 - open_share as brought_share,
    people,
    unknown_provider,
    unknown_after
from orders
where len(providers) = (select count(*) from useful)
    and len(providers) > 1
order by unknown_provider is not null, cost, providers;
