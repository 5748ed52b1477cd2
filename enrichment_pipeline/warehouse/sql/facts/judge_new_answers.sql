-- Is the person who was found the one who was looked for? An answer that may be another
-- person's is evidence for a reviewer and never fills a field. Also which of an answer's positions
-- counts, with the job and the company that are read off it (`current_positions`).
--
-- The names must go together: alike in spelling (nicknames, initials, any order); the same
-- in Latin letters; or, between two scripts, the one in Latin letters spelled out by an
-- identifier of the side that writes the other one (but not by the e-mail that we asked by:
-- that spells our name, even if another person has it now). A family name may have changed by
-- marriage, which a namesake's looks like: so only where the given name is the same, the
-- company too, and the answer bears the very profile that we have, or an e-mail that we have
-- and that spells our name. (An address that was passed on to a successor spells another.)
-- And the companies must not contradict each other, unless an identifier tells that the
-- profile is the contact's own: then they moved on. What a reviewer decided on a profile
-- stands. What may be a namesake's (`find_namesakes.sql`) is a reviewer's to tell, too. A profile
-- that a search gave had its name and company compared when it was chosen,
-- for the contact that was searched for and those of the same name; and who was asked for by
-- the profile's id may have moved on.
--
-- reads: company_agreements, decided_answers, enrichment.search_results, name_agreements,
--        namesakes, new_answers, new_contact_points, new_positions, phone_regions, raw.lookups,
--        raw.search_profiles, raw.searches, staging.company_names, staging.hosts, staging.phones
-- makes: current_positions, judged_answers

create or replace temp table judged_answers as
with
searched_for as (
    select distinct result.contact_id, search.provider, result.uid
    from enrichment.search_results as result
    join raw.searches as search on search.search_id = result.search_id
    where result.verdict = 'resolved'
),

-- most are plain: what identifiers tell is asked for the others only
doubtful as (
    select names.*, company.is_same_company
    from name_agreements as names
    join company_agreements as company on company.answer_no = names.answer_no
    where not names.is_alike or company.is_same_company is not distinct from false
),

points as (
    select
        point.answer_no,
        list(point.email) filter (point.kind = 'email' and point.email is not null)
            as their_emails,
        list(phone.e164) filter (point.kind = 'phone' and phone.e164 is not null)
            as their_phones
    from new_contact_points as point
    semi join doubtful on doubtful.answer_no = point.answer_no
    left join phone_regions as region
        on region.phone_text = point.value and region.company_domain is null
    left join staging.phones as phone
        on phone.phone_text = point.value and phone.region = region.region
    group by point.answer_no
),

paired as (
    select
        names.*,
        list_concat(
            answer.their_slugs,
            list_filter(
                points.their_emails, lambda each: each is distinct from answer.our_email
            )
        ) as their_identifiers,
        identifier_letters(answer.our_email) as our_email_letters,
        identifier_letters(answer.our_linkedin_slug) as our_slug_letters,
        coalesce(list_contains(answer.their_slugs, answer.our_linkedin_slug), false)
            as bears_profile,
        coalesce(list_contains(points.their_emails, answer.our_email), false) as bears_email,
        coalesce(list_contains(points.their_phones, answer.our_phone), false) as bears_phone,
        given_name(names.our_name) as our_given_name,
        given_name(names.their_name) as their_given_name
    from doubtful as names
    join new_answers as answer on answer.answer_no = names.answer_no
    left join points on points.answer_no = names.answer_no
),

compared as (
    select
        answer_no,
        is_same_company,
        is_alike
        or coalesce(
            is_only_ours_foreign
            and (
                spell_name(our_slug_letters, their_key) or spell_name(our_email_letters, their_key)
            ),
            false
        )
        or coalesce(
            is_only_theirs_foreign
            and len(list_filter(
                their_identifiers,
                lambda each: spell_name(identifier_letters(each), our_key)
            )) > 0,
            false
        ) as is_same_name,
        coalesce(
            words_alike(
                our_given_name, their_given_name, least_similarity := $name_similarity
            ),
            false
        ) as is_same_given_name,
        bears_profile,
        bears_email,
        bears_phone,
        coalesce(spell_name(our_email_letters, our_key), false) as email_spells_us
    from paired
),

-- Answers to look-ups by a profile's id that show that profile. Whether the name
-- is still the one for which a search chose it: its contact may be another person by now.
asked_by_id as (
    select
        answer.answer_no,
        coalesce(
            bool_or(
                name_key(search.full_name) = name_key(spoken_name(written_name(
                    answer.our_full_name, answer.our_first_name, answer.our_last_name
                )))
            ),
            false
        ) as is_name_searched_for
    from raw.lookups as lookup
    join new_answers as answer
        on answer.lookup_id = lookup.lookup_id and lower(answer.uid) = lookup.item
    left join raw.search_profiles as found on found.uid = lookup.item
    left join raw.searches as search
        on search.search_id = found.search_id
        and search.person_key = lookup.person_key
        and search.provider = lookup.provider
    where lookup.item_kind = 'uid'
    group by answer.answer_no
)

select
    answer.answer_no,
    answer.contact_id,
    answer.lookup_id,
    answer.provider,
    answer.person_key,
    answer.answered_at,
    answer.run_id,
    case
        when answer.outcome <> 'matched' then answer.outcome
        when answer.unreadable_part is not null then 'unreadable_answer'
        when decided.judgement is not null then decided.judgement
        when searched.uid is not null then 'matched'
        when asked.is_name_searched_for then 'matched'
        when namesake.answer_no is not null then 'identity_mismatch'
        when compared.answer_no is null then 'matched'
        when compared.is_same_name and (
            compared.is_same_company is distinct from false
            or asked.answer_no is not null
            or compared.bears_profile or compared.bears_email or compared.bears_phone
        ) then 'matched'
        when compared.is_same_given_name and compared.is_same_company and (
            compared.bears_profile or (compared.bears_email and compared.email_spells_us)
        ) then 'matched'
        else 'identity_mismatch'
    end as judgement,
    answer.unreadable_part is null and decided.judgement is not null as is_decided,
    -- what is wrong with an answer that is not accepted
    case
        when answer.outcome <> 'matched' then null
        when answer.unreadable_part is not null then answer.unreadable_part
        when namesake.answer_no is not null and coalesce(compared.is_same_name, true)
            then 'namesake'
        when compared.is_same_name then 'company'
        else 'name'
    end as detail
from new_answers as answer
left join searched_for as searched
    on searched.contact_id = answer.contact_id
    and searched.provider = answer.provider
    and searched.uid = lower(answer.uid)
left join asked_by_id as asked on asked.answer_no = answer.answer_no
left join compared on compared.answer_no = answer.answer_no
left join namesakes as namesake on namesake.answer_no = answer.answer_no
left join decided_answers as decided
    on decided.contact_id = answer.contact_id and decided.lookup_id = answer.lookup_id;

-- the position that counts: a current one, at the company where we have the contact if there
-- is one, else the latest started
create or replace temp table current_positions as
with titles as (
    select job_title, seniority_of(job_title) as seniority
    from (select distinct real_text(job_title) as job_title from new_positions where is_current)
)

select
    position.answer_no,
    real_text(position.job_title) as job_title,
    titles.seniority,
    position.company_name,
    position.company_host as company_website,
    case when not host.is_free_mail and not host.is_disposable then host.registrable_domain end
        as company_domain,
    real_text(position.industry) as company_industry,
    real_text(position.employee_count) as company_employee_count
from new_positions as position
join new_answers as answer on answer.answer_no = position.answer_no
left join staging.hosts as host on host.host = position.company_host
left join titles on titles.job_title = real_text(position.job_title)
left join staging.company_names as company on company.company_name = position.company_name
where position.is_current
qualify row_number() over (
    partition by position.answer_no
    order by
        coalesce(
            host.registrable_domain = answer.our_company_domain
            or jaro_winkler_similarity(company.company_key, answer.our_company_key)
            >= $company_similarity,
            false
        ) desc,
        real_text(position.started) desc nulls last,
        position.company_name,
        position.given_order
) = 1;
