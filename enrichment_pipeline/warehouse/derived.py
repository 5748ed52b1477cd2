"""What planning reads instead of working it out each time.

`staging.contact_identities` and `staging.suppressed_contacts` follow from who is who, from
answers and from the suppressed identifiers, `staging.person_lookups` (by person and provider)
from the look-ups; each step that changes one of these brings them up to date for the
contacts that it concerns (`load.py`, `raw_answers.py`, `judging.py`, `searches.py`,
`suppressed_identifiers.py`).

What something new concerns is called *dirty*: contacts, identifiers, look-ups. Of these follow
the *contacts to resolve*, whose person is found anew, and the *contacts to refresh*, whose rows in
these tables are written anew; *rejudged* contacts have an answer that was judged, or taken back.
Contacts are *left dirty* (`staging.contacts_left_dirty`) for the next load, which finds out anew
who they are.

Here: the order of the statements that do so, for some contacts or for all at once. Not
here: the rules, which are the files in `sql/`. Call what writes in a transaction.
"""

import duckdb

from enrichment_pipeline.warehouse.normalise import learn_company_names
from enrichment_pipeline.warehouse.statements import execute
from enrichment_pipeline.warehouse.suppressed_identifiers import refresh_suppressed_contacts


def refresh_contacts(connection: duckdb.DuckDBPyConnection, relation: str) -> None:
    """Bring up to date who the contacts in this table are, and whether they are suppressed."""
    execute(connection, "select_contacts_to_refresh", relation=relation)
    execute(connection, "refresh_contact_identities")
    refresh_suppressed_contacts(connection, "refreshed_contacts")


def leave_contacts_dirty(connection: duckdb.DuckDBPyConnection, relation: str) -> bool:
    """Leave to the next load the contacts that bear the identifiers in this temporary table.

    These have got another owner, or none. Costs nothing where there are none, and tells whether
    there were.
    """
    moved = connection.execute("select 1 from query_table(?) limit 1", [relation]).fetchall()
    if moved:
        execute(connection, "create_identities")
        execute(connection, "leave_contacts_dirty", relation=relation)
        refresh_contacts(connection, "moved_contacts")
    return bool(moved)


def move_persons(connection: duckdb.DuckDBPyConnection, relation: str) -> bool:
    """Make persons one with others, by this temporary table of old and new keys; whether any was.

    Their contacts are those persons' from now on, with what they are known by.
    """
    execute(connection, "move_persons", relation=relation)
    return leave_contacts_dirty(connection, "moved_aliases")


def derive_anew(connection: duckdb.DuckDBPyConnection) -> None:
    """Make these tables anew, for all contacts, from what they follow from."""
    learn_company_names(connection, "find_unread_companies")
    execute(connection, "create_identities")
    execute(connection, "reread_contact_parts")
    refresh_contacts(connection, "staging.contacts")
    execute(connection, "refresh_person_lookups")
