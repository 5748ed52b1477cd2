"""From raw answers to facts, and from facts to the tables that people read.

Here: the order of the steps, all of them SQL. Not here: the rules, which are
the files in `sql/`. Call each function in a transaction.
"""

from datetime import datetime

import duckdb

from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse.connection import set_nicknames
from enrichment_pipeline.warehouse.derived import refresh_contacts, restate_contacts
from enrichment_pipeline.warehouse.normalise import learn_hosts, learn_phones
from enrichment_pipeline.warehouse.statements import execute
from enrichment_pipeline.warehouse.states import derive_contact_states


def derive_facts(connection: duckdb.DuckDBPyConnection, *, loaded_at: datetime) -> None:
    """Turn answers that are new to a contact, and reviewers' decisions, into facts."""
    set_nicknames(connection)
    execute(connection, "create_identities")
    execute(connection, "select_current_decisions")
    execute(connection, "find_overruled_answers")
    if connection.execute("select 1 from overruled_answers limit 1").fetchall():
        execute(connection, "forget_overruled_answers")
        restate_contacts(connection)
    execute(connection, "find_new_answers")
    learn_hosts(connection, "find_new_answer_hosts")
    learn_phones(connection, "find_new_answer_phones", default_region="")
    execute(connection, "judge_new_answers")
    execute(connection, "merge_person_facts", loaded_at=loaded_at)
    execute(connection, "join_known_persons")
    restate_contacts(connection)
    execute(connection, "affect_answered")
    refresh_contacts(connection)
    execute(connection, "merge_human_facts")
    execute(connection, "merge_company_facts")


def derive_outcomes(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    *,
    as_of: datetime,
    flagged_at: datetime,
) -> None:
    """Bring `enriched_contacts`, `needs_review` and `contact_status` up to date, together."""
    derive_contact_states(connection, policy, as_of)
    execute(connection, "judge_contacts", require=list(policy.acceptance.require))
    execute(connection, "merge_enriched_contacts", max_age_days=policy.freshness.max_age_days)
    execute(connection, "merge_needs_review", flagged_at=flagged_at)
    execute(connection, "merge_contact_status")
    execute(connection, "stamp_judged_contacts")
