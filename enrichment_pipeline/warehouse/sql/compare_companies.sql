-- Whether each answer puts its person at the company where we have the contact: in any of the
-- positions, since people move on, or by an e-mail there. Null where one of the two sides
-- says nothing. Each pair of names is compared once.

create or replace temp table company_agreements as
with
their_domains as (
    select position.contact_id, position.lookup_id, host.registrable_domain as company_domain
    from new_positions as position
    join staging.hosts as host on host.host = position.company_host
    where not host.is_free_mail and not host.is_disposable
    union all
    select contact_id, lookup_id, split_part(email, '@', 2) as company_domain
    from new_contact_points
    where type = 'email' and email is not null
),

our_domains as (
    select contact_id, lookup_id, our_company_domain as company_domain
    from new_answers
    where our_company_domain is not null
    union
    select answer.contact_id, answer.lookup_id, answer.our_email_domain
    from new_answers as answer
    join staging.hosts as host on host.host = answer.our_email_domain
    where not host.is_free_mail and not host.is_disposable
),

by_domain as (
    select distinct ours.contact_id, ours.lookup_id
    from our_domains as ours
    join their_domains as theirs
        on theirs.contact_id = ours.contact_id
        and theirs.lookup_id = ours.lookup_id
        and theirs.company_domain = ours.company_domain
),

by_name as (
    select
        answer.contact_id,
        answer.lookup_id,
        max(jaro_winkler_similarity(answer.our_company_key, position.company_key))
            as similarity
    from new_answers as answer
    join new_positions as position
        on position.contact_id = answer.contact_id and position.lookup_id = answer.lookup_id
    anti join by_domain
        on by_domain.contact_id = answer.contact_id and by_domain.lookup_id = answer.lookup_id
    where answer.our_company_key is not null and position.company_key is not null
    group by answer.contact_id, answer.lookup_id
),

-- domains on both sides; the one of an e-mail may be a family's, and contradicts nothing
comparable as (
    select distinct answer.contact_id, answer.lookup_id
    from new_answers as answer
    join new_positions as position
        on position.contact_id = answer.contact_id and position.lookup_id = answer.lookup_id
    join staging.hosts as host on host.host = position.company_host
    where answer.has_given_company_domain
        and answer.our_company_domain is not null
        and host.registrable_domain is not null
)

select
    answer.contact_id,
    answer.lookup_id,
    case
        when by_domain.contact_id is not null then true
        when by_name.similarity >= $company_similarity then true
        when by_name.contact_id is not null or comparable.contact_id is not null then false
    end as is_same_company
from new_answers as answer
left join by_domain
    on by_domain.contact_id = answer.contact_id and by_domain.lookup_id = answer.lookup_id
left join by_name
    on by_name.contact_id = answer.contact_id and by_name.lookup_id = answer.lookup_id
left join comparable
    on comparable.contact_id = answer.contact_id and comparable.lookup_id = answer.lookup_id
where answer.outcome = 'matched';
