"""The work list in pandas: what planning is measured against.

Here: the same logic, as somebody who knows pandas would write it: from the tables that loads and
look-ups leave, or from those that we keep for planning. Not here: any measurement (`planning.py`).
"""

from __future__ import annotations

from datetime import datetime

import duckdb
import numpy as np
import pandas as pd

from enrichment_pipeline.lanes import PRIORITIES
from enrichment_pipeline.policy import Policy


def worklist_from_loaded(
    connection: duckdb.DuckDBPyConnection, policy: Policy, as_of: datetime
) -> pd.DataFrame:
    """The work list at `as_of`, of what was loaded, normalised and looked up.

    By what each person would be asked for, and which look-up stands for it, is found out here:
    the rules are those of `refresh_contact_identities.sql` and `refresh_person_lookups.sql`, too.
    """
    return _worklist(
        connection, policy, as_of, _contact_identities(connection), _person_lookups(connection)
    )


def worklist_from_prepared(
    connection: duckdb.DuckDBPyConnection, policy: Policy, as_of: datetime
) -> pd.DataFrame:
    """The work list at `as_of`, of the very tables that our planning reads."""
    contacts = _read(
        connection,
        "contact_id, account_id, person_key, assigned_at, identity_kind, lookup_identity",
        "staging.contact_identities",
    )
    lookups = _read(
        connection,
        "person_key, lookup_id, state, outcome, last_released_at, requested_at, answered_at, "
        "failed_runs, last_failed_at",
        "staging.person_lookups",
    )
    return _worklist(connection, policy, as_of, contacts, lookups)


def _read(connection: duckdb.DuckDBPyConnection, columns: str, table: str) -> pd.DataFrame:
    return connection.execute(f"select {columns} from {table}").to_arrow_table().to_pandas()


def _contact_identities(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Every contact with its person, and the best identifier that is this person's own."""
    contacts = _read(connection, "contact_id, account_id", "staging.contacts where left_at is null")
    persons = _read(connection, "contact_id, person_key, assigned_at", "staging.contact_persons")
    parts = _read(connection, "contact_id, linkedin_slug, email, phone", "staging.contact_parts")
    aliases = _read(connection, "alias, person_key", "staging.person_aliases")
    shared = _read(connection, "alias", "staging.shared_identifiers")
    known = contacts.merge(persons, on="contact_id", how="left")
    parts = parts.merge(persons[["contact_id", "person_key"]], on="contact_id")
    kinds = []
    for rank, (kind, column) in enumerate(
        {"linkedin": "linkedin_slug", "email": "email", "phone": "phone"}.items()
    ):
        given = parts.loc[parts[column].notna(), ["person_key", column]]
        given = given.rename(columns={column: "value"}).drop_duplicates()
        given["alias"] = kind + ":" + given["value"]
        given["kind"], given["kind_rank"] = kind, rank
        kinds.append(given[~given["alias"].isin(shared["alias"])])
    # there are no role addresses in the benchmark's CRM, and none is looked for
    own = pd.concat(kinds).merge(aliases, on=["alias", "person_key"])
    best = own.sort_values(["kind_rank", "value"]).drop_duplicates("person_key")
    best["lookup_identity"] = best["value"].where(
        best["kind"] != "linkedin", "https://www.linkedin.com/in/" + best["value"]
    )
    best = best.rename(columns={"kind": "identity_kind"})
    return known.merge(
        best[["person_key", "identity_kind", "lookup_identity"]], on="person_key", how="left"
    )


def _person_lookups(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """The look-up that stands for each person, and what failed after it."""
    lookups = _read(
        connection,
        "person_key, lookup_id, supersedes, state, outcome, reason, run_id, requested_at, "
        "answered_at",
        "raw.lookups",
    )
    is_released = lookups["state"] == "released"
    kept = lookups[~is_released]
    heads = (
        kept[~kept["lookup_id"].isin(kept["supersedes"])]
        .sort_values(["requested_at", "lookup_id"], ascending=[False, True])
        .drop_duplicates("person_key")
    )
    released = lookups[is_released]
    known = lookups[["person_key"]].drop_duplicates()
    known = known.merge(
        heads[["person_key", "lookup_id", "state", "outcome", "requested_at", "answered_at"]],
        on="person_key",
        how="left",
    ).merge(
        released.groupby("person_key", as_index=False).agg(
            last_released_at=("requested_at", "max")
        ),
        on="person_key",
        how="left",
    )
    failed = released[released["reason"].isin(["duplicate_query", "timeout_exceeded"])]
    failed = failed.merge(
        heads[["person_key", "requested_at"]],
        on="person_key",
        how="left",
        suffixes=("", "_of_head"),
    )
    failed = failed[
        failed["requested_at_of_head"].isna()
        | (failed["requested_at"] > failed["requested_at_of_head"])
    ]
    failures = failed.groupby("person_key", as_index=False).agg(
        failed_runs=("run_id", "nunique"), last_failed_at=("requested_at", "max")
    )
    return known.merge(failures, on="person_key", how="left")


def _worklist(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    as_of: datetime,
    contacts: pd.DataFrame,
    lookups: pd.DataFrame,
) -> pd.DataFrame:
    """The rules of `derive_contact_states.sql` and `find_due_persons.sql`."""
    accounts = _read(
        connection,
        "account_id, tier, annual_revenue, employee_count, open_pipeline",
        "staging.accounts where left_at is null",
    )
    suppressed = _read(connection, "contact_id", "staging.suppressed_contacts")
    day, hour = pd.Timedelta(days=1), pd.Timedelta(hours=1)

    weights, bands = policy.priority.weights, policy.priority.bands
    score = weights.tier * accounts["tier"].map(
        {"strategic": 3, "target": 2, "standard": 1}
    ).fillna(0)
    for figure in ("open_pipeline", "annual_revenue", "employee_count"):
        value = accounts[figure].fillna(0).clip(lower=0)
        score = score + getattr(weights, figure) * 100 * np.log10(1 + value)
    accounts["priority_score"] = score
    by_score = np.select(
        [score >= bands.strategic, score >= bands.target, score >= bands.standard],
        ["strategic", "target", "standard"],
        "bulk",
    )
    accounts["priority"] = accounts["tier"].fillna(pd.Series(by_score, index=accounts.index))

    freshness, retry = policy.freshness, policy.retry
    age_limit = lookups["outcome"].map(
        {"matched": freshness.max_age_days, "no_match": freshness.no_match_days}
    )
    lookups["due_at"] = lookups["answered_at"] + age_limit * day
    is_unconfirmed = lookups["state"] == "unconfirmed"
    lookups.loc[is_unconfirmed, "due_at"] = (
        lookups.loc[is_unconfirmed, "requested_at"] + freshness.unconfirmed_days * day
    )
    distance = np.minimum(
        retry.first_hours * 2.0 ** (lookups["failed_runs"].clip(upper=retry.max_attempts) - 1),
        retry.longest_days * 24,
    ).where(lookups["failed_runs"] < retry.max_attempts, retry.longest_days * 24)
    lookups["retry_at"] = lookups["last_failed_at"] + distance * hour
    lookups["has_failed_since"] = lookups["last_released_at"].notna() & (
        lookups["requested_at"].isna() | (lookups["last_released_at"] > lookups["requested_at"])
    )

    states = contacts.merge(
        accounts[["account_id", "priority", "priority_score"]], on="account_id", how="left"
    ).merge(lookups, on="person_key", how="left")
    states["priority"] = states["priority"].fillna("bulk")
    states["priority_score"] = states["priority_score"].fillna(-1)
    is_first = states["lookup_id"].isna()
    has_failed = states["has_failed_since"].fillna(False).astype(bool)
    is_asleep = states["due_at"].notna() & (states["due_at"] > as_of)
    states["freshness"] = np.select(
        [
            (states["state"] == "open").fillna(False),
            states["contact_id"].isin(suppressed["contact_id"]),
            states["outcome"].isin(["legal_stop", "refused"]),
            states["lookup_identity"].isna() & is_first,
            is_first & has_failed,
            is_first,
            is_asleep,
            states["lookup_identity"].isna(),
            (states["state"] == "unconfirmed").fillna(False) | has_failed,
        ],
        ["-", "-", "-", "-", "retry", "new", "-", "-", "retry"],
        "stale",
    )
    states["waiting_since"] = states["due_at"].where(~is_first, states["assigned_at"])
    states["waiting_since"] = states[["waiting_since", "retry_at"]].max(axis=1)
    states = states[
        (states["freshness"] != "-") & ~(states["retry_at"].notna() & (states["retry_at"] > as_of))
    ]
    states["priority_rank"] = states["priority"].map({p: n for n, p in enumerate(PRIORITIES)})
    states["contact_count"] = states.groupby("person_key")["contact_id"].transform("size")
    return (
        states.sort_values(
            ["priority_rank", "priority_score", "waiting_since", "contact_id"],
            ascending=[True, False, True, True],
        )
        .drop_duplicates("person_key")[
            [
                *("contact_id", "person_key", "freshness", "priority", "priority_score"),
                *("lookup_identity", "identity_kind", "lookup_id", "contact_count"),
                "waiting_since",
            ]
        ]
        .rename(columns={"lookup_id": "supersedes"})
        .fillna({"supersedes": ""})
    )
