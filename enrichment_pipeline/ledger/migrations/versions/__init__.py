"""One migration per file, named by number and what it does.

Here: migrations only; a migration that was released is never changed.
"""
