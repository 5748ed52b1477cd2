"""SQL files in a folder for each topic, named verb_object.sql; run through `warehouse.statements`.

Here: no Python. The head of a file says what it reads and makes: tables with their schema are
stored, others are temporary or come from Python. Values are bound by name; identifiers never
come from input.

- `schema/`: tables, views, macros and comments.
- `source/`: reading the source's contacts, accounts and decisions as they are, and loading them.
- `identity/`: what each contact goes by, and which contacts are one person.
- `entry/`: what applications entered, and what became of it.
- `suppression/`: who may not be asked about.
- `planning/`: where each contact stands, and the work list.
- `search/`: finding profiles by name and company, and how much speaks for each.
- `verification/`: which addresses are verified, and what that changes.
- `changes/`: which profiles providers' releases have changed.
- `feedback/`: what became of mail to each address.
- `answers/`: what the ledger knows, copied.
- `facts/`: what answers and decisions say of a contact.
- `outcomes/`: the values and the state that people see.
- `retention/`: what is erased after `retain_days`.
- `review/`: the review queue, and what reviewers decide.
- `explaining/`: one contact's whole story.
- `replay/`: what a replay or an undo changes.
- `sinks/`: what differs between a publication and what a sink has, and the sink's own state.
- `export/`: what a CRM's import is given.
- `publish/`, `report/`, `checks/`: the snapshot, the figures, and what must hold.
"""
