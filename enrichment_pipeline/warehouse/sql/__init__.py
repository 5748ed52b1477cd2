"""SQL files, named verb_object.sql; run through `warehouse.statements`.

Here: no Python. Values are bound by name; identifiers never come from input.
"""
