-- The tables and views of one attached database of ours, column by column, with their comments.
-- A table's own comment stands beside each of its columns.

select
    columns.table_name,
    columns.column_name,
    columns.data_type,
    coalesce(columns.comment, '') as comment,
    coalesce(tables.comment, views.comment, '') as table_comment
from duckdb_columns() as columns
left join duckdb_tables() as tables
    on tables.database_name = columns.database_name and tables.table_oid = columns.table_oid
left join duckdb_views() as views
    on views.database_name = columns.database_name and views.view_oid = columns.table_oid
where columns.database_name = $database and columns.schema_name = 'enrichment'
order by columns.table_name, columns.column_index;
