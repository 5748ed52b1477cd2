-- The columns of every table and view that the attached source ($catalogue) has, in their order.

select schema_name, table_name, column_name, data_type
from duckdb_columns()
where database_name = $catalogue
    and schema_name not in ('information_schema', 'pg_catalog')
order by schema_name, table_name, column_index;
