"""What became of mail to each address: bounces, complaints and deliveries, as the source has them.

Here: taking that over. Not here: reading the source (`attached_source.py`), and what follows for an
address (`sql/verification/derive_checked_addresses.sql`), for when its person is due
(`sql/planning/derive_contact_states.sql`), and for who is suppressed (`ledger/suppressions.py`).
"""

import duckdb

from enrichment_pipeline.attachment import Attachment
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.policy import FeedbackPolicy
from enrichment_pipeline.vocabulary import FEEDBACK_KINDS, one_of, words_of
from enrichment_pipeline.warehouse.attached_source import attached_source, read_bounces
from enrichment_pipeline.warehouse.statements import execute


def load_feedback(
    connection: duckdb.DuckDBPyConnection, feedback: FeedbackPolicy, attachment: Attachment
) -> frozenset[str]:
    """Take over what the policy's query gives; the hashed addresses of those who complained.

    Call it in a transaction, once the contacts are loaded. Raises ConfigurationError for SQL that
    fails, a missing column, a kind that has no meaning, and a bounce without a time.
    """
    if feedback.bounces is None:
        connection.execute("delete from staging.address_feedback")
        connection.execute("delete from staging.bounced_persons")
        return frozenset()
    with attached_source(attachment, warehouse=connection) as reading:
        read_bounces(reading, connection, feedback.bounces)
    kinds = words_of(FEEDBACK_KINDS)
    unknown = execute(connection, "find_unknown_kinds", kinds=list(kinds)).fetchall()
    if unknown:
        given = ", ".join(kind for (kind,) in unknown[:10])
        raise ConfigurationError(
            f"[feedback] bounces: the kind must be {one_of(kinds)}; it also gives {given}. Say in "
            "the query what each of them is, or leave them out"
        )
    [(undated,)] = execute(connection, "count_undated_bounces").fetchall()
    if undated:
        raise ConfigurationError(
            f"[feedback] bounces: {undated:,} rows have no bounced_at; give each the time at which "
            "it happened, or leave them out"
        )
    execute(connection, "replace_address_feedback")
    complaints = execute(connection, "list_complaints").fetchall()
    return frozenset(identifier for (identifier,) in complaints)
