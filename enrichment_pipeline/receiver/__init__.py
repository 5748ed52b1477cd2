"""The receiver: takes what a provider posts, and keeps it before it says thank you.

Here: the ASGI app (`app.py`), where it keeps things (`inbox.py`), what it lets in
(`callback_limits.py`), what it counts (`metrics.py`) and its process (`server.py`). Not here:
reading what was kept (`dispatch/settling.py`), and limits that the point of entry shares
(`serving/`). It writes to the ledger only, and never opens DuckDB.
"""
