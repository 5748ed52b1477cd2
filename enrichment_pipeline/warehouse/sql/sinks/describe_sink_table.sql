-- The columns of what has this name in an attached sink, with their types.

select column_name, data_type
from duckdb_columns()
where database_name = $database and schema_name = $schema and table_name = $name
order by column_index;
