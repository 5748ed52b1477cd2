"""Asset checks: what must hold before anybody reads the tables, and what is worth a look.

Here: the checks of each asset, and their results from what the asset's step has found. A result
does not say of which asset it is, whose key may have a prefix: that follows from where it is given.
An asset's own step makes them: as steps of their own they would take ten times as long, and open
the warehouse once more each. That no key stands twice is checked of every table in
`table_figures.SHOWN`. Not here: which asset has which check (`defs/assets/`), the queries
(`warehouse/findings.py`, `warehouse/table_figures.py`), and mending what they find.
"""

from collections import Counter
from collections.abc import Sequence

import dagster as dg

from enrichment_pipeline.defs.metadata import markdown_table
from enrichment_pipeline.dispatch.progress import MOST_UNCONFIRMED, is_unconfirmed_too_often
from enrichment_pipeline.ledger.questions import BalanceGap, Totals
from enrichment_pipeline.steps.fill_sinks import SinkReport
from enrichment_pipeline.steps.settle_entries import SettledEntries
from enrichment_pipeline.warehouse.figures import WaitingReview
from enrichment_pipeline.warehouse.findings import EARLIER_RUNS, UNREAD_AFTER, RunComparison
from enrichment_pipeline.warehouse.review_log import Recorded
from enrichment_pipeline.warehouse.table_figures import SHOWN, TableFigures

LEAST_ANSWERS = 10
"""Of so few answers a rate says nothing."""
SHOWN_EXAMPLES = 10
SHOWN_ENTRIES = 20
SHOWN_PROBLEMS = 100


def unique_key_spec(asset: str) -> dg.AssetCheckSpec:
    """A blocking check that no key of the asset's table stands twice."""
    shown = SHOWN[asset]
    return dg.AssetCheckSpec(
        "unique_key",
        asset=asset,
        blocking=True,
        description=f"No two rows of {shown.table} have the same {', '.join(shown.key)}.",
    )


def unique_key(figures: TableFigures) -> dg.AssetCheckResult:
    """Whether what `unique_key_spec` promises of the asset's table holds."""
    return dg.AssetCheckResult(
        check_name="unique_key",
        passed=figures.doubled_keys == 0,
        metadata={"doubled_keys": figures.doubled_keys},
    )


SOURCE_IDS_ARE_UNIQUE = dg.AssetCheckSpec(
    "source_ids_are_unique",
    asset="contacts",
    description="No contact_id repeats in the source; where one does, the latest row was taken.",
)


def source_ids_are_unique(repeated: Sequence[tuple[str, int]]) -> dg.AssetCheckResult:
    """From the ids that repeat, with the number of their rows."""
    return _result(
        SOURCE_IDS_ARE_UNIQUE,
        not repeated,
        {
            "repeated_ids": len(repeated),
            "rows_passed_over": sum(rows - 1 for _, rows in repeated),
            "examples": [contact_id for contact_id, _ in repeated[:SHOWN_EXAMPLES]],
        },
        dg.AssetCheckSeverity.WARN,
    )


ROWS_CAN_BE_TAKEN = dg.AssetCheckSpec(
    "rows_can_be_taken",
    asset="review_decisions",
    description="Every row that is new in [review] decisions can be taken; the others are.",
)


def rows_can_be_taken(recorded: Recorded) -> dg.AssetCheckResult:
    """From what became of the rows."""
    problems = recorded.problems
    return _result(
        ROWS_CAN_BE_TAKEN,
        not problems,
        {
            "wrong_rows": len({problem.row for problem in problems}),
            "problems": [str(problem) for problem in problems[:SHOWN_PROBLEMS]],
        },
        dg.AssetCheckSeverity.WARN,
    )


LOOKUPS_ARE_ANSWERED = dg.AssetCheckSpec(
    "lookups_are_answered",
    asset="provider_lookups",
    description=f"No more than {MOST_UNCONFIRMED:.0%} of what the run asked for ended unconfirmed: "
    "sent, but not answered, and so perhaps billed.",
)


def lookups_are_answered(of_run: Totals) -> dg.AssetCheckResult:
    """From what the ledger has of the run; the tables are as good as without it."""
    asked = of_run.calls - of_run.released
    return _result(
        LOOKUPS_ARE_ANSWERED,
        not is_unconfirmed_too_often(of_run.unconfirmed, asked),
        {"unconfirmed_lookups": of_run.unconfirmed, "lookups": asked},
    )


LEDGER_MATCHES_BALANCE = dg.AssetCheckSpec(
    "ledger_matches_balance",
    asset="provider_lookups",
    description="The provider's balance fell by what the ledger charged. It parts where someone "
    "else spends from the same account.",
)


def ledger_matches_balance(gap: BalanceGap | None) -> dg.AssetCheckResult:
    """From the last two balances; None where there are not two yet."""
    if gap is None:
        return _result(LEDGER_MATCHES_BALANCE, True, {"note": "the balance was not seen twice yet"})
    return _result(
        LEDGER_MATCHES_BALANCE,
        gap.unexplained == 0,
        {
            "provider_spent": gap.provider_spent,
            "ledger_charged": gap.ledger_charged,
            "unconfirmed_lookups": gap.unconfirmed,
            "unexplained_credits": gap.unexplained,
        },
        dg.AssetCheckSeverity.WARN,
    )


MATCH_RATE_HOLDS = dg.AssetCheckSpec(
    "match_rate_holds",
    asset="provider_responses",
    description=f"The last run found people about as often as the {EARLIER_RUNS} before it, for "
    "the same kind of look-ups; a fall by a third warns.",
)
VERIFIED_SHARE_HOLDS = dg.AssetCheckSpec(
    "verified_share_holds",
    asset="person_facts",
    description="Who was found by the last run has a verified e-mail about as often as in the "
    f"{EARLIER_RUNS} runs before it; a fall by a third warns.",
)


def match_rate_holds(found: RunComparison | None) -> dg.AssetCheckResult:
    return _has_not_fallen(MATCH_RATE_HOLDS, "match_rate", found)


def verified_share_holds(found: RunComparison | None) -> dg.AssetCheckResult:
    return _has_not_fallen(VERIFIED_SHARE_HOLDS, "verified_share", found)


def _has_not_fallen(
    spec: dg.AssetCheckSpec, measure: str, found: RunComparison | None
) -> dg.AssetCheckResult:
    """Warns where a share has fallen by a third against the runs before."""
    if found is None:
        return _result(spec, True, {"note": "nothing was answered yet"})
    metadata: dict[str, dg.RawMetadataValue] = {
        "run": found.run_id,
        measure: round(found.share, 4),
    }
    if found.compared < LEAST_ANSWERS:
        metadata["note"] = f"only {found.compared} answers to compare with earlier runs"
        return _result(spec, True, metadata)
    metadata |= {
        "compared_answers": found.compared,
        f"compared_{measure}": round(found.hits / found.compared, 4),
        f"expected_{measure}": round(found.expected_hits / found.compared, 4),
    }
    holds = not found.expected_hits or 3 * found.hits > 2 * found.expected_hits
    return _result(spec, holds, metadata, dg.AssetCheckSeverity.WARN)


REVIEW_FLAG_AGREES = dg.AssetCheckSpec(
    "review_flag_agrees",
    asset="enriched_contacts",
    blocking=True,
    description="Contacts that need manual enrichment stand in needs_review, and no others do.",
)


def review_flag_agrees(disagreeing: int) -> dg.AssetCheckResult:
    """From the number of contacts of which the two say different things."""
    return _result(REVIEW_FLAG_AGREES, disagreeing == 0, {"disagreeing": disagreeing})


NO_LIKELY_VALUE_IS_VERIFIED = dg.AssetCheckSpec(
    "no_likely_value_is_verified",
    asset="enriched_contacts",
    blocking=True,
    description="Every e-mail and phone that is shown as verified was rated so by the provider, or "
    "given by a person: no likely one stands in a verified column.",
)


def no_likely_value_is_verified(unproven: Sequence[tuple[str, str]]) -> dg.AssetCheckResult:
    """From the contacts and fields of which it is not so."""
    examples = [f"{contact_id}: {field}" for contact_id, field in unproven[:SHOWN_EXAMPLES]]
    return _result(
        NO_LIKELY_VALUE_IS_VERIFIED,
        not unproven,
        {"unproven_values": len(unproven), "examples": examples},
    )


REVIEWS_ARE_READ = dg.AssetCheckSpec(
    "reviews_are_read",
    asset="needs_review",
    description=f"No contact has waited for a reviewer for {UNREAD_AFTER.days} days.",
)


def reviews_are_read(unread: Sequence[WaitingReview]) -> dg.AssetCheckResult:
    """From the contacts that have."""
    reasons = Counter((review.priority, review.reason) for review in unread)
    by_priority = markdown_table(
        ("priority", "reason", "contacts"),
        [(*key, contacts) for key, contacts in reasons.items()],
    )
    return _result(
        REVIEWS_ARE_READ,
        not unread,
        {
            "unread": len(unread),
            "by_priority": by_priority,
            "examples": [review.contact_id for review in unread[:SHOWN_EXAMPLES]],
        },
        dg.AssetCheckSeverity.WARN,
    )


EVERY_CONTACT_IS_ACCOUNTED_FOR = dg.AssetCheckSpec(
    "every_contact_is_accounted_for",
    asset="contact_status",
    blocking=True,
    description="Every contact of the source and every entry has a status, as they were loaded, "
    "and no other has. Where another run has loaded them anew meanwhile, that run's check is the "
    "one that counts.",
)


def every_contact_is_accounted_for(
    unaccounted: Sequence[tuple[str, str]],
) -> dg.AssetCheckResult:
    """From the contacts of which it is not so, with what is wrong."""
    problems = Counter(problem for _, problem in unaccounted)
    if problems["overtaken"]:
        return _result(
            EVERY_CONTACT_IS_ACCOUNTED_FOR,
            True,
            {"note": "another run has loaded the source anew"},
        )
    return _result(
        EVERY_CONTACT_IS_ACCOUNTED_FOR,
        not unaccounted,
        {
            "without_status": problems["without_status"],
            "not_in_source": problems["not_in_source"],
            "examples": [contact_id for contact_id, _ in unaccounted[:SHOWN_EXAMPLES]],
        },
    )


NO_OLD_ANSWER_IS_FRESH = dg.AssetCheckSpec(
    "no_old_answer_is_fresh",
    asset="contact_status",
    blocking=True,
    description="No answer that is older than the policy allows is shown as fresh.",
)


def no_old_answer_is_fresh(expired: Sequence[tuple[str, str]]) -> dg.AssetCheckResult:
    """From the contacts of which one is, with what it is shown as."""
    problems = Counter(shown_as for _, shown_as in expired)
    return _result(
        NO_OLD_ANSWER_IS_FRESH,
        not expired,
        {
            "shown_as_fresh": problems["fresh"],
            "shown_as_not_expired": problems["not_expired"],
            "examples": [contact_id for contact_id, _ in expired[:SHOWN_EXAMPLES]],
        },
    )


ENTRIES_ARE_SETTLED = dg.AssetCheckSpec(
    "entries_are_settled",
    asset="contact_status",
    description="No entry is still open after its deadline ([entry] deadline_minutes).",
)


def entries_are_settled(entries: SettledEntries) -> dg.AssetCheckResult:
    """From what is open once the run has settled what it could."""
    return _result(
        ENTRIES_ARE_SETTLED,
        not entries.overdue,
        {
            "open": entries.open,
            "overdue": len(entries.overdue),
            "longest_overdue": list(entries.overdue[:SHOWN_ENTRIES]),
        },
        dg.AssetCheckSeverity.WARN,
    )


SINKS_ARE_UP_TO_DATE = dg.AssetCheckSpec(
    "sinks_are_up_to_date",
    asset="sinks",
    description="Every sink of the policy file has what was published last.",
)


def sinks_are_up_to_date(report: SinkReport) -> dg.AssetCheckResult:
    """From what went to each sink, and why some got nothing."""
    return _result(
        SINKS_ARE_UP_TO_DATE,
        not report.behind,
        {"sinks": len(report.filled) + len(report.behind), "behind": list(report.behind.values())},
        dg.AssetCheckSeverity.WARN,
    )


def _result(
    spec: dg.AssetCheckSpec,
    passed: bool,
    metadata: "dict[str, dg.RawMetadataValue]",
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=spec.name,
        passed=passed,
        severity=severity,
        metadata=metadata,
    )
