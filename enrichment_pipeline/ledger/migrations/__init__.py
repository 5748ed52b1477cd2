"""The ledger's schema on disk, as Alembic migrations.

Here: `env.py` and one file per version. Not here: when they run (`ledger/store.py`).
"""
