-- Every table and view, with its comment.

select concat(schema_name, '.', table_name) as name, coalesce(comment, '') as comment
from duckdb_tables()
where database_name = current_database()
union all
select concat(schema_name, '.', view_name) as name, coalesce(comment, '') as comment
from duckdb_views()
where database_name = current_database() and not internal
order by name;
