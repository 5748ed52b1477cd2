-- A table of a sink has this publication now.
--
-- makes: sink_states

delete from sink_states
where table_name = $table_name;

insert into sink_states (table_name, ledger, publication, run_id, published_at, description)
values ($table_name, $ledger, $publication, $run_id, $published_at, $description);
