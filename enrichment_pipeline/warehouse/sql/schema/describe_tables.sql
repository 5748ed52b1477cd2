-- The columns of every table and view, with their comments.

select concat(schema_name, '.', table_name) as table_name, column_name, data_type, comment
from duckdb_columns()
where database_name = current_database() and not internal
order by schema_name, table_name, column_index;
