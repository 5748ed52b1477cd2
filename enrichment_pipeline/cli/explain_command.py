"""`enrichment explain`: one contact's whole story on one screen, or as JSON.

Here: showing it. Not here: gathering it (`explanation.py`).
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from enrichment_pipeline.cli.json_output import JsonOption, print_json
from enrichment_pipeline.cli.printable import printable
from enrichment_pipeline.providers.registry import PROVIDERS
from enrichment_pipeline.settings import load_settings
from enrichment_pipeline.vocabulary import (
    FRESHNESS,
    FRESHNESS_REASONS,
    PRIORITIES,
    REVIEW_REASONS,
)

if TYPE_CHECKING:  # importing it at run time would have every command import DuckDB
    from enrichment_pipeline.explanation import ExplainedCall, Explanation, Values

IDENTIFYING = (
    *("full_name", "first_name", "last_name", "email", "phone", "linkedin_url"),
    *("company_name", "company_domain", "job_title"),
)
SHOWN_NAMESAKES = 5

_out = Console(highlight=False, soft_wrap=True)


def explain_command(
    contact_id: Annotated[
        str,
        typer.Argument(metavar="CONTACT_ID", show_default=False, help="Its id in the source."),
    ],
    as_json: JsonOption = False,
) -> None:
    """Show one contact's whole story: source, identity, calls and costs, values, decisions, next.

    It shows a person's data, and writes nothing.
    """
    from enrichment_pipeline.explanation import explain

    explanation = explain(load_settings(needs_key=False), contact_id)
    if as_json:
        print_json(as_document(explanation))
    else:
        _print(explanation, _out)


def as_document(explanation: "Explanation") -> dict[str, Any]:
    """The explanation as JSON has it."""
    standing = dict(explanation.standing)
    return {
        "contact_id": explanation.contact["contact_id"],
        "source": explanation.contact,
        "account": explanation.account or None,
        "same_person": explanation.namesakes,
        "standing": {**standing, "lane": _lane(standing)},
        "why": list(_reasons(explanation)),
        "calls": [
            {
                **vars(each.call),
                "credits": each.credits,
                "is_undone": each.is_undone,
            }
            for each in explanation.calls
        ],
        "values": explanation.values,
        "decisions": explanation.decisions,
    }


def _print(explanation: "Explanation", console: Console) -> None:
    from enrichment_pipeline.cli.terminal import table

    contact, standing = explanation.contact, explanation.standing
    _line(console, "contact", [contact["contact_id"], standing.get("status", "not derived yet")])
    given = [f"{name} {contact[name]}" for name in IDENTIFYING if name in contact]
    _line(console, "source", [*given, f"loaded {_day(contact['loaded_at'])}"])
    if account := explanation.account:
        _line(
            console,
            "account",
            [f"{name} {value}" for name, value in account.items() if name != "has_known_tier"],
        )
    _line(console, "person", list(_identity(explanation)))
    for reason in _reasons(explanation):
        _line(console, "why", [reason])
    calls = [_call_row(each) for each in explanation.calls]
    if calls:
        columns = ("when", "call", "in lane", "ended", "credits", "cost", "run")
        console.print(table("Calls", columns, calls, texts=4))
        total = sum(each.call.cost for each in explanation.calls)
        console.print(f"cost so far: {total:,}")
    else:
        console.print("no call was ever made about this person")
    values = [
        _value_row(list(of_field))
        for _, of_field in groupby(explanation.values, lambda row: row["field"])
    ]
    if values:
        columns = ("field", "shown", "status", "given by", "on", "instead of")
        console.print(table("Values", columns, values, texts=6))
    for each in explanation.decisions:
        _line(console, "decision", list(_decision(each)))


def _line(console: Console, what: str, parts: Sequence[str]) -> None:
    told = printable(" · ".join(parts))
    console.print(Text.assemble((f"{what:<9}", "bold"), told))


def _identity(explanation: "Explanation") -> Iterator[str]:
    contact = explanation.contact
    if "person_key" not in contact:
        yield "no identifier by which anybody could be told"
        return
    yield contact["person_key"]
    if "lookup_identity" in contact:
        yield f"asked for by {contact['identity_kind']} {contact['lookup_identity']}"
    if explanation.namesakes:
        shown = ", ".join(explanation.namesakes[:SHOWN_NAMESAKES])
        more = len(explanation.namesakes) - SHOWN_NAMESAKES
        yield f"the same as {shown}" + (f" and {more} more" if more > 0 else "")
    if "entered_as" in contact:
        yield f"entered by an application; {contact['entered_as']} of the source stands for it"
    elif contact["is_entered"]:
        yield "entered by an application"
    if "left_at" in contact:
        yield f"left the source on {_day(contact['left_at'])}"


def _reasons(explanation: "Explanation") -> Iterator[str]:
    """Why it is where it is, and when it is next, in sentences."""
    standing = explanation.standing
    if not standing:
        yield "it is in no table yet: the next run derives them"
        return
    meanings = {each.word: each.meaning for each in FRESHNESS_REASONS}
    why = standing.get("freshness_reason", "")
    lane = _lane(standing)
    where = f"in the lane {lane}" if lane else f"{standing['freshness']}, in no lane"
    yield f"{where}: {meanings.get(why, why)} ({why})"
    yield f"priority {standing['priority']}: {_why_priority(explanation)}"
    for each in REVIEW_REASONS:
        if each.word == standing.get("reason"):
            detail = standing.get("review_detail", each.meaning)
            yield f"for review, {each.word}: {detail}. To do: {each.advice}"
    if standing.get("reason") == "waiting_for_provider":
        yield "others have been asked, and a provider is still to be"
    yield _when_next(standing)


def _why_priority(explanation: "Explanation") -> str:
    account = explanation.account
    if account:
        if account["has_known_tier"]:
            return f"the tier of its account is {account['tier']}"
        return "its account has no tier, so that the account's score decides"
    if explanation.contact["is_entered"]:
        return "its account is not known, and [entry] priority says so"
    return "its account is not known"


def _when_next(standing: "Values") -> str:
    at = standing.get("next_lookup_at")
    if at is None:
        return "next: it will not be looked up"
    if at <= datetime.now(UTC):
        return f"next: due since {_day(at)}, at the next run that covers its lane"
    return f"next: looked up again from {_day(at)} on"


def _lane(standing: "Values") -> str | None:
    is_lane = standing.get("freshness") in FRESHNESS and standing.get("priority") in PRIORITIES
    return f"{standing['freshness']}|{standing['priority']}" if is_lane else None


def _call_row(each: "ExplainedCall") -> tuple[object, ...]:
    call = each.call
    ended = " ".join(filter(None, (call.outcome or call.state, call.reason)))
    return (
        _day(call.requested_at),
        f"{_title(call.provider)}, {call.kind} by {call.item_kind}",
        f"{call.freshness}|{call.priority}",
        f"{ended} (undone)" if each.is_undone else ended,
        each.credits,
        call.cost if not call.may_cost else f"{call.cost:,}, perhaps {call.may_cost:,} more",
        call.run_id[:8],
    )


def _value_row(given: "list[Values]") -> tuple[object, ...]:
    """One field: what is shown and by whom, and what others said."""
    shown = [row for row in given if row["is_shown"]]
    rivals = [row for row in given if not row["is_shown"]]
    first = shown[0] if shown else {}
    return (
        given[0]["field"],
        first.get("value", "–"),
        first.get("status", ""),
        ", ".join(dict.fromkeys(_giver(row) for row in shown)),
        _day(first["observed_at"]) if "observed_at" in first else "",
        "; ".join(_rival(row) for row in rivals),
    )


def _giver(row: "Values") -> str:
    provider = row.get("provider")
    if provider is None:
        return "the source"
    return "a reviewer" if provider == "human" else _title(provider)


def _rival(row: "Values") -> str:
    status = row.get("checked_status", row.get("status"))
    told = ", ".join(filter(None, (_giver(row), status, _day(row["observed_at"]))))
    return f"{row['value']} ({told})"


def _decision(row: "Values") -> Iterator[str]:
    yield f"{row['decision']} on {_day(row['decided_at'])}"
    if "decided_by" in row:
        yield f"by {row['decided_by']}"
    if "field" in row:
        yield f"{row['field']} = {row.get('value', '')}"
    if "provider_uid" in row:
        yield f"profile {row['provider_uid']}"
    if "note" in row:
        yield row["note"]
    if not row.get("holds_for_this_person", True):
        yield "made when the contact was another person: it does not hold"


def _title(provider: str) -> str:
    return PROVIDERS[provider].title if provider in PROVIDERS else provider


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"
