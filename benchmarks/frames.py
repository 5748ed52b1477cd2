"""The work list in pandas: what planning is measured against.

Here: the same logic over the same tables, as somebody who knows pandas would write it. Not
here: any measurement (`planning.py`).
"""

from __future__ import annotations

from datetime import datetime

import duckdb
import numpy as np
import pandas as pd

from enrichment_pipeline.lanes import PRIORITIES
from enrichment_pipeline.policy import Policy


def worklist_frame(
    connection: duckdb.DuckDBPyConnection, policy: Policy, as_of: datetime
) -> pd.DataFrame:
    """The work list at `as_of`, of the tables that planning reads too.

    The rules are those of `derive_contact_states.sql` and `find_due_persons.sql`.
    """

    def read(columns: str, table: str) -> pd.DataFrame:
        return connection.execute(f"select {columns} from {table}").to_arrow_table().to_pandas()

    contacts = read(
        "contact_id, account_id, person_key, assigned_at, identity_kind, lookup_identity",
        "staging.contact_identities",
    )
    accounts = read(
        "account_id, tier, annual_revenue, employee_count, open_pipeline",
        "staging.accounts where left_at is null",
    )
    lookups = read(
        "person_key, lookup_id, state, outcome, last_released_at, requested_at, answered_at, "
        "failed_runs, last_failed_at",
        "staging.person_lookups",
    )
    suppressed = read("contact_id", "staging.suppressed_contacts")
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
