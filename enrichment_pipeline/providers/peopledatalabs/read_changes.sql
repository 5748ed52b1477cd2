-- Which profiles a release has merged into another one, as People Data Labs' changelog says: `to`
-- is the id of the one that it is now, as a text or as the only one in a list. Where there are
-- several it is not known which of them it is.
-- version: 1 (another number has all replies read anew)
--
-- reads: unread_changes
-- makes: read_changes

create or replace temp view read_changes as
with told as (
    select
        reply_id,
        case
            when json_valid(body) then from_json(
                body,
                '{"data": {"merged": [{"id": "VARCHAR", "additional_metadata": {"to": "JSON"}}]}}'
            )
        end as reply
    from unread_changes
),

moves as (
    select
        told.reply_id,
        unnest(told.reply.data.merged) as moved
    from told
)

select
    reply_id,
    moved.id as uid,
    case
        when json_type(moved.additional_metadata['to']) = 'VARCHAR'
            then json_extract_string(moved.additional_metadata['to'], '$')
        when json_array_length(moved.additional_metadata['to']) = 1
            then json_extract_string(moved.additional_metadata['to'], '$[0]')
    end as moved_to
from moves;
