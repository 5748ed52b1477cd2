"""Where every contact stands at an instant with who is asked: what work list and outcomes share.

Here: handing the turns and the policy's numbers to the SQL, provider by provider. Not here: the
rules themselves: `derive_contact_states.sql` for one provider, `add_turn.sql` and `choose_turn.sql`
for several. A new number of `[freshness]` comes along by itself.
"""

from collections.abc import Collection
from datetime import datetime

import duckdb

from enrichment_pipeline.policy import Policy
from enrichment_pipeline.warehouse import common_profile
from enrichment_pipeline.warehouse.statements import execute
from enrichment_pipeline.waterfall import EVERY_IDENTIFIER, Turn, Waterfall


def derive_contact_states(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    waterfall: Waterfall,
    as_of: datetime,
    *,
    turn: Turn | None = None,
    passed_over: Collection[str] = (),
) -> None:
    """Make the temporary view `contact_states`: what is due, ages counted to `as_of`.

    With a `turn`, what is due at that provider, which is not held up by those in `passed_over`;
    else where each contact is most urgent. It holds on this connection until it is made again,
    and, of a single provider, shows what the tables under it hold when it is read.
    """
    execute(connection, "select_current_decisions")
    execute(connection, "create_identities")
    for place, each in enumerate(waterfall, start=1):
        _derive_provider_states(connection, policy, each, place, as_of)
        if place == 1:
            execute(connection, "start_turns")
        if len(waterfall) > 1:
            execute(
                connection,
                "add_turn",
                provider=each.provider,
                place=place,
                priorities=list(each.priorities),
                require=list(policy.acceptance.require),
                can_give=requirements_it_can_give(each.provider, policy),
                passed_over=list(passed_over),
            )
        if each == turn:
            break
    place_of_turn = None if turn is None else list(waterfall).index(turn) + 1
    execute(connection, "choose_turn", turns=len(waterfall), place=place_of_turn)


def _derive_provider_states(
    connection: duckdb.DuckDBPyConnection, policy: Policy, turn: Turn, place: int, as_of: datetime
) -> None:
    """Make the temporary view `provider_states`: where contacts stand with this provider."""
    chooses = place > 1 or not turn.identities >= EVERY_IDENTIFIER or "name" in turn.identities
    execute(connection, "choose_identities", chooses=chooses, identities=sorted(turn.identities))
    derive_search_states(connection, policy, turn.provider, as_of)
    execute(
        connection,
        "derive_contact_states",
        provider=turn.provider,
        as_of=as_of,
        require=list(policy.acceptance.require),
        entry_priority=policy.entry.priority,
        **policy.freshness.model_dump(),
        **{f"retry_{name}": value for name, value in policy.retry.model_dump().items()},
        **{
            f"{name}_weight": weight
            for name, weight in policy.priority.weights.model_dump().items()
        },
        **{f"{name}_band": score for name, score in policy.priority.bands.model_dump().items()},
    )


def requirements_it_can_give(provider: str, policy: Policy) -> list[str]:
    """What of the acceptance this provider can give: one that never verifies nothing verified.

    Not even an e-mail, unless those are verified by themselves afterwards.
    """
    return [
        each
        for each in policy.acceptance.require
        if _verifies(provider)
        or not each.startswith("verified_")
        or (policy.verifies_addresses and each.endswith("email"))
    ]


def _verifies(provider: str) -> bool:
    """Whether there is a rating by which this provider says that a value is verified."""
    readings = common_profile.readings()
    return any(each.verified for each in readings if each.provider == provider)


def derive_search_states(
    connection: duckdb.DuckDBPyConnection, policy: Policy, provider: str, as_of: datetime
) -> None:
    """Make the temporary table `person_searches`; reviewers' decisions must be selected."""
    execute(
        connection,
        "derive_search_states",
        provider=provider,
        as_of=as_of,
        is_search_on=policy.searches_at(provider),
        no_match_days=policy.freshness.no_match_days,
        max_age_days=policy.freshness.max_age_days,
    )
