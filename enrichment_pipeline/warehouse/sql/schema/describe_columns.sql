-- The columns of a table, with their comments.

select column_name, data_type, comment
from duckdb_columns()
where database_name = current_database() and schema_name = $schema and table_name = $name
order by column_index;
