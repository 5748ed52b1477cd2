-- Which publication each table of a sink has.
--
-- reads: sink_states

select table_name, ledger, publication, description
from sink_states;
