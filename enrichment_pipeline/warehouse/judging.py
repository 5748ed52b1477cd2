"""From raw answers to facts, and from facts to the tables that people read.

Here: the order of the steps, all of them SQL. Not here: the rules, which are
the files in `sql/`. Call each function in a transaction.
"""

from datetime import datetime

import duckdb

from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse.common_profile import read_answers
from enrichment_pipeline.warehouse.derived import (
    leave_contacts_dirty,
    move_persons,
    refresh_contacts,
)
from enrichment_pipeline.warehouse.normalise import (
    learn_company_names,
    learn_hosts,
    learn_phones,
    transliterate_names,
)
from enrichment_pipeline.warehouse.statements import execute
from enrichment_pipeline.warehouse.states import derive_contact_states
from enrichment_pipeline.warehouse.verifications import check_addresses, find_due_verifications
from enrichment_pipeline.waterfall import Waterfall

ANSWERS_PER_BATCH = 200_000
"""As many at a time: some 2.7 KB each as text, several times that once they are taken apart.

DuckDB shares work out among its threads by 122,880 rows: smaller batches would have one thread.
"""


def derive_facts(
    connection: duckdb.DuckDBPyConnection, policy: Policy, *, loaded_at: datetime
) -> None:
    """Bring person and company facts to what the raw answers say of the contacts as they are.

    Answers that are new to a contact are read, what reviewers gave is taken over, and what
    came of answers that do not count any more is taken back. An answer can show that a further
    contact is its person: then it is read for that contact, too, until it shows no other.
    """
    read_answers(connection)
    execute(connection, "create_identities")
    while _judge_answers(connection, policy, loaded_at):
        pass
    check_addresses(connection, verified_days=policy.waterfall.verified_days)
    _find_agreements(connection, policy)


def apply_checks(connection: duckdb.DuckDBPyConnection, policy: Policy) -> None:
    """Bring the addresses of answers to what `staging.checked_addresses` says of them."""
    execute(connection, "check_points")
    _find_agreements(connection, policy)


def _find_agreements(connection: duckdb.DuckDBPyConnection, policy: Policy) -> None:
    if len(policy.waterfall.order) > 1:
        execute(connection, "derive_agreed_addresses")
    else:
        connection.execute("delete from staging.agreed_addresses")


def _judge_answers(
    connection: duckdb.DuckDBPyConnection, policy: Policy, loaded_at: datetime
) -> bool:
    """Judge answers for the contacts of their persons; whether that made more contacts theirs."""
    execute(connection, "select_current_decisions")
    execute(connection, "find_pending_answers", batch_rows=ANSWERS_PER_BATCH)
    execute(connection, "withdraw_judgements")
    rules = {
        "name_similarity": policy.identity.name_similarity,
        "company_similarity": policy.identity.company_similarity,
    }
    are_more = False
    for batch, first_at, last_at in execute(connection, "list_batches").fetchall():
        execute(connection, "find_new_answers", batch=batch, first_at=first_at, last_at=last_at)
        learn_hosts(connection, "find_new_answer_hosts")
        learn_company_names(connection, "find_new_answer_companies")
        learn_phones(connection, "find_new_answer_phones", default_region="")
        execute(connection, "compare_companies", **rules)
        transliterate_names(connection, "find_foreign_names")
        execute(connection, "compare_names", **rules)
        execute(connection, "find_namesakes")
        execute(connection, "judge_new_answers", **rules)
        execute(connection, "insert_judgements", loaded_at=loaded_at)
        execute(connection, "join_known_persons")
        are_more |= move_persons(connection, "persons_joined_by_answers")
    execute(connection, "close_facts")
    learn_company_names(connection, "find_new_decided_companies")
    if connection.execute("select 1 from withdrawn_answers limit 1").fetchall():
        execute(connection, "forget_aliases")
        leave_contacts_dirty(connection, "forgotten_aliases")
    refresh_contacts(connection, "rejudged_contacts")
    execute(connection, "replace_company_facts")
    return are_more


def derive_outcomes(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    *,
    waterfall: Waterfall,
    as_of: datetime,
    flagged_at: datetime,
) -> int:
    """Bring `enriched_contacts`, `needs_review` and `contact_status` up to date, together.

    What is queued, or in flight, is so at a provider of the waterfall.
    How many contacts have company fields from an answer on a colleague.
    """
    derive_contact_states(connection, policy, waterfall, as_of)
    judge_states(connection, policy, as_of=as_of, flagged_at=flagged_at)
    execute(connection, "stamp_judged_contacts")
    return execute(connection, "count_company_cache_hits").fetchall()[0][0]


def judge_states(
    connection: duckdb.DuckDBPyConnection, policy: Policy, *, as_of: datetime, flagged_at: datetime
) -> None:
    """Bring these tables up to date, by the states as they were derived."""
    _choose_values(connection, policy, as_of)
    execute(
        connection,
        "judge_contacts",
        require=list(policy.acceptance.require),
        job_changes=policy.acceptance.job_changes,
    )
    execute(connection, "merge_enriched_contacts", max_age_days=policy.freshness.max_age_days)
    execute(connection, "merge_needs_review", flagged_at=flagged_at)
    execute(connection, "merge_contact_status")


def find_addresses_to_verify(
    connection: duckdb.DuckDBPyConnection, policy: Policy, waterfall: Waterfall, as_of: datetime
) -> None:
    """Bring `staging.due_verifications` to what is still missing, by the facts as they are."""
    derive_contact_states(connection, policy, waterfall, as_of)
    _choose_values(connection, policy, as_of)


def _choose_values(connection: duckdb.DuckDBPyConnection, policy: Policy, as_of: datetime) -> None:
    """Which value of each field is shown, and which addresses would be verified for that."""
    execute(
        connection,
        "choose_values",
        rules=policy.fields.model_dump(),
        company_similarity=policy.identity.company_similarity,
        company_max_age_days=policy.freshness.company_max_age_days,
        max_age_days=policy.freshness.max_age_days,
        as_of=as_of,
    )
    if policy.verifies_addresses:
        find_due_verifications(connection, policy)
    else:
        execute(connection, "forget_due_verifications")
