"""The receiver: takes what a provider posts, and keeps it before it says thank you.

Here: the ASGI app (`app.py`), where it keeps things (`inbox.py`), what it lets in
(`callback_limits.py`), how it parts from a body that it does not want (`lingering.py`), what it
counts (`metrics.py`) and its process (`server.py`). Not here: reading what was kept
(`dispatch/settling.py`). It writes to the ledger only, and never opens DuckDB.
"""
