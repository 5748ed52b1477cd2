-- Which publication each file of a folder has, by the file of states beside them.

select table_name, ledger, publication
from read_parquet($file);
