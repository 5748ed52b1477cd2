-- Whether each answer puts its person at the company where we have the contact: in any of the
-- positions, since people move on, or by an e-mail there. Null where one of the two sides
-- says nothing. Each pair of names is compared once.
--
-- reads: new_answers, new_contact_points, new_positions, staging.company_names, staging.hosts
-- makes: company_agreements

create or replace temp table company_agreements as
with
their_domains as (
    select position.answer_no, host.registrable_domain as company_domain
    from new_positions as position
    join staging.hosts as host on host.host = position.company_host
    where not host.is_free_mail and not host.is_disposable
    union all
    select answer_no, split_part(email, '@', 2) as company_domain
    from new_contact_points
    where kind = 'email' and email is not null
),

our_domains as (
    select answer_no, our_company_domain as company_domain
    from new_answers
    where our_company_domain is not null
    union
    select answer.answer_no, answer.our_email_domain
    from new_answers as answer
    join staging.hosts as host on host.host = answer.our_email_domain
    where not host.is_free_mail and not host.is_disposable
),

by_domain as (
    select distinct ours.answer_no
    from our_domains as ours
    join their_domains as theirs
        on theirs.answer_no = ours.answer_no
        and theirs.company_domain = ours.company_domain
),

by_name as (
    select
        answer.answer_no,
        max(jaro_winkler_similarity(answer.our_company_key, company.company_key))
            as similarity
    from new_answers as answer
    join new_positions as position on position.answer_no = answer.answer_no
    join staging.company_names as company on company.company_name = position.company_name
    anti join by_domain on by_domain.answer_no = answer.answer_no
    where answer.our_company_key <> '' and company.company_key <> ''
    group by answer.answer_no
),

-- domains on both sides; the one of an e-mail may be a family's, and contradicts nothing
comparable as (
    select distinct answer.answer_no
    from new_answers as answer
    join new_positions as position on position.answer_no = answer.answer_no
    join staging.hosts as host on host.host = position.company_host
    where answer.has_given_company_domain
        and answer.our_company_domain is not null
        and host.registrable_domain is not null
)

select
    answer.answer_no,
    case
        when by_domain.answer_no is not null then true
        when by_name.similarity >= $company_similarity then true
        when by_name.answer_no is not null or comparable.answer_no is not null then false
    end as is_same_company
from new_answers as answer
left join by_domain on by_domain.answer_no = answer.answer_no
left join by_name on by_name.answer_no = answer.answer_no
left join comparable on comparable.answer_no = answer.answer_no
where answer.outcome = 'matched';
