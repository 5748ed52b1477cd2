"""The ledger: every paid call, written before the money is spent.

Here: the tables and migrations, admission, the journal of what was sent and
answered, budgets, the rate window and the pause gate. Not here: HTTP
(`providers/`), DuckDB (`warehouse/`), and the decision what is due (SQL).
"""
