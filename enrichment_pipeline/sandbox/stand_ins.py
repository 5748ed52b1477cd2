"""Which stand-ins there are, and what starting one needs to know of its command.

Here: one line for each. Not here: their options and what they do; each stand-in has a folder.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from enrichment_pipeline.sandbox.hunter.command import hunter
from enrichment_pipeline.sandbox.peopledatalabs.command import peopledatalabs
from enrichment_pipeline.sandbox.prospeo.command import prospeo
from enrichment_pipeline.sandbox.signalhire.command import signalhire


@dataclass(frozen=True)
class StandIn:
    """`serve` is its command.

    `limits` are the names of that command's rate limits, a window each, the shortest first: how
    much of each kind may be asked for in it, and at last how many seconds it takes.
    """

    serve: Callable[..., None]
    limits: tuple[tuple[str, ...], ...]

    def rate_options(self, rates: Sequence[tuple[int, float]]) -> list[str]:
        """Options with which it allows these rates, so many in so many seconds, and no others.

        Of more rates than it has windows the longest count; of fewer, the longest holds for all
        windows that are left.
        """
        held = sorted(rates, key=lambda rate: rate[1])[-len(self.limits) :]
        held += [held[-1]] * (len(self.limits) - len(held))
        options = []
        for (*kinds, window), (units, seconds) in zip(self.limits, held, strict=True):
            for kind in kinds:
                options += [_option(kind), str(units)]
            options += [_option(window), str(seconds)]
        return options


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


STAND_INS: dict[str, StandIn] = {
    "signalhire": StandIn(signalhire, (("items_per_window", "window_seconds"),)),
    "prospeo": StandIn(
        prospeo,
        (
            ("per_second", "second_seconds"),
            ("per_minute", "minute_seconds"),
            ("per_day", "day_seconds"),
        ),
    ),
    "peopledatalabs": StandIn(
        peopledatalabs, (("per_minute", "changes_per_minute", "minute_seconds"),)
    ),
    "hunter": StandIn(
        hunter,
        (
            ("per_second", "verifications_per_second", "second_seconds"),
            ("per_minute", "verifications_per_minute", "minute_seconds"),
        ),
    ),
}
"""By the provider for which each stands in. `enrichment sandbox` alone serves the first."""
UNNAMED = next(iter(STAND_INS))
