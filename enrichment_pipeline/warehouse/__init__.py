"""The warehouse: everything that owns DuckDB.

Here: the connection, the source, and the SQL that turns contacts into a work
list and answers into tables. Not here: HTTP, the ledger, Dagster. Functions
take an open connection and leave transactions to their caller.
"""
