-- Every table, with its comment.

select concat(schema_name, '.', table_name) as name, coalesce(comment, '') as comment
from duckdb_tables()
where database_name = current_database();
