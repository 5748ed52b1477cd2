"""The point of entry: a contact is enriched the moment an application has it.

Here: taking one contact, over HTTP or from Python, keeping it in the ledger's database, deciding
about it by the rules of a run, buying what is missing, and telling who asked. Not here: the rules
(`warehouse/sql/`), what may be bought (`ledger/`), sending it (`dispatch/`), and callbacks of
providers (`receiver/`).
"""
