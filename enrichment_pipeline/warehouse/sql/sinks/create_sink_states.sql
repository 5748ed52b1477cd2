-- What a sink has of us, kept in the sink and changed in the same transaction as its tables.
--
-- makes: sink_states

create table sink_states (
    table_name varchar,
    ledger varchar,
    publication varchar,
    run_id varchar,
    published_at timestamptz,
    description varchar
);
