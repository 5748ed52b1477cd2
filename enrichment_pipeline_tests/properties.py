"""How properties are tested: few fixed examples in `make test`, many new ones in `make test-long`,
and ten times as many in `make soak`.

Here: hypothesis' profiles, and the decorator that a property carries. Not here: what is drawn.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings

Test = TypeVar("Test", bound=Callable[..., object])

_common = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
settings.register_profile("short", _common, derandomize=True)
# new ones each time, but for the gate: what it finds should be of the change before it
settings.register_profile("long", _common, derandomize="CI" in os.environ, print_blob=True)
settings.register_profile("soak", _common, print_blob=True)
settings.load_profile("short")  # `--hypothesis-profile long` takes its place


def number_of_examples(few: int, many: int) -> int:
    """How many examples this run of the tests draws."""
    return {"short": few, "long": many, "soak": 10 * many}[settings.get_current_profile_name()]


def draws(few: int, many: int) -> Callable[[Test], Test]:
    """A test that draws so many examples in `make test`, and so many in `make test-long`."""

    def decorate(test: Test) -> Test:
        chosen = settings(max_examples=number_of_examples(few, many))
        return pytest.mark.property(chosen(test))

    return decorate
