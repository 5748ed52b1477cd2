-- How the collected rows differ from those put aside: by table and field, what was added, what
-- is gone and what is another value, and a few ids as examples. No values: they are personal.
--
-- reads: collected_facts, collected_rows, facts_before, rows_before

with
paired as (
    select
        coalesce(old.table_name, new.table_name) as table_name,
        coalesce(old.id, new.id) as id,
        old.content as old_content,
        new.content as new_content
    from rows_before as old
    full join collected_rows as new on new.table_name = old.table_name and new.id = old.id
    where old.content is distinct from new.content
),

fields as (
    select
        table_name,
        id,
        old_content,
        new_content,
        unnest(
            case
                when old_content is null or new_content is null then ['']
                else json_keys(new_content)
            end
        ) as field
    from paired
),

differences as (
    select
        table_name,
        case when field = '' then null else field end as field,
        case
            when old_content is null then 'added' when new_content is null then 'gone'
            else 'changed'
        end as change,
        id
    from fields
    where field = ''
        or json_extract_string(old_content, concat('$."', field, '"'))
        is distinct from json_extract_string(new_content, concat('$."', field, '"'))
    union all
    select table_name, field, 'added' as change, id
    from (
        select * from collected_facts
        except all
        select * from facts_before
    )
    union all
    select table_name, field, 'gone' as change, id
    from (
        select * from facts_before
        except all
        select * from collected_facts
    )
)

select
    table_name,
    field,
    change,
    count(*) as differences,
    list_sort(list(distinct id))[1:3] as examples
from differences
group by table_name, field, change
order by table_name, field nulls first, change;
