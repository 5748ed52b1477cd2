-- The tables and views of the attached source, as a query names them.

select
    case when schema_name = 'main' then name else concat(schema_name, '.', name) end as table_name
from (
    select schema_name, table_name as name
    from duckdb_tables()
    where database_name = $source and not internal
    union all
    select schema_name, view_name as name
    from duckdb_views()
    where database_name = $source and not internal
)
order by schema_name, name;
