"""The steps of a run, one file each, free of Dagster.

In order: `prepare`, `load_source` (accounts, then contacts), `take_decisions`, `ask_changes`,
`select_work`, `search_profiles`, `buy_lookups`, `copy_answers`, `derive_facts`, `derive_outcomes`,
`publish_tables`. Entries are settled at the end of `derive_outcomes`. `plan` is what a run would
do, taken back. Each is a function over a `RunContext`: it opens the warehouse, if it needs it, and
gives back the figures of what it did, which assets show and checks judge.

Not here: Dagster objects (`defs/`), how a part is done (each has its own package), and what people
change between runs (`corrections.py`).
"""
