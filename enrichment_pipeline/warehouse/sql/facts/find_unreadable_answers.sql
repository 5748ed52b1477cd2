-- Which of the suspect answers do not have the shape that is read: nothing is taken from such
-- a one, since it cannot be known what else of it is not what it seems. Which part it is, is
-- kept.
--
-- reads: raw.provider_responses, suspects
-- makes: unreadable_answers

insert into unreadable_answers (answer_no, part)
with
types as (
    select
        suspects.answer_no,
        json_type(response.answer, '$.candidate') as of_candidate,
        json_type(response.answer, ['$.candidate.uid', '$.candidate.fullName']) as of_texts,
        json_type(response.answer, [
            '$.candidate.contacts', '$.candidate.social', '$.candidate.experience',
            '$.candidate.locations'
        ]) as of_lists,
        list_concat(
            json_type(response.answer, '$.candidate.contacts[*]'),
            json_type(response.answer, '$.candidate.social[*]'),
            json_type(response.answer, '$.candidate.experience[*]'),
            json_type(response.answer, '$.candidate.locations[*]')
        ) as of_elements,
        list_concat(
            json_type(response.answer, '$.candidate.contacts[*].type'),
            json_type(response.answer, '$.candidate.contacts[*].value'),
            json_type(response.answer, '$.candidate.contacts[*].rating'),
            json_type(response.answer, '$.candidate.contacts[*].subType'),
            json_type(response.answer, '$.candidate.social[*].link'),
            json_type(response.answer, '$.candidate.locations[*].name'),
            json_type(response.answer, '$.candidate.experience[*].position'),
            json_type(response.answer, '$.candidate.experience[*].company'),
            json_type(response.answer, '$.candidate.experience[*].current'),
            json_type(response.answer, '$.candidate.experience[*].started'),
            json_type(response.answer, '$.candidate.experience[*].website'),
            json_type(response.answer, '$.candidate.experience[*].companySize'),
            json_type(response.answer, '$.candidate.experience[*].staffCount'),
            json_type(response.answer, '$.candidate.experience[*].industry')
        ) as of_values
    from suspects
    join raw.provider_responses as response on response.lookup_id = suspects.lookup_id
    where response.answered_at between $first_at and $last_at
),

named as (
    select
        answer_no,
        case
            when coalesce(of_candidate, '') <> 'OBJECT' then 'the profile'
            when list_has_any(of_texts, ['OBJECT', 'ARRAY', 'BOOLEAN']) then 'its id or name'
            when
                len(list_filter(of_lists, lambda type: type not in ('ARRAY', 'NULL'))) > 0
                then 'one of its lists'
            when
                len(list_filter(of_elements, lambda type: type not in ('OBJECT', 'NULL'))) > 0
                then 'an entry of its lists'
            when list_has_any(of_values, ['OBJECT', 'ARRAY']) then 'a value in its lists'
        end as part
    from types
)

select answer_no, part from named where part is not null;
