"""Dispatch: from the work list through the ledger to the provider and back.

Here: the order in which work is offered to the ledger (`backlog.py`), requests on
the wire (`dispatcher.py`), what each outcome becomes in the ledger (`settling.py`),
and the counts of a run (`progress.py`). Not here: whether a call may be made
(`ledger/`), HTTP (`providers/`), and DuckDB: it is closed while a call is under way.
"""
