"""What a stand-in's settings may be: a value out of range is refused with the setting's name.

Belongs here: the checks. Does not belong here: the settings and their ranges (each stand-in's
`config.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def check_ranges(
    settings: object,
    *,
    at_least: Mapping[str, float],
    above_zero: Iterable[str],
    one_of: Mapping[str, tuple[str, ...]],
) -> None:
    """Raises ValueError for the first setting that is out of its range."""
    for name, least in at_least.items():
        if getattr(settings, name) < least:
            raise ValueError(f"{name} must be at least {least}")
    for name in above_zero:
        if getattr(settings, name) <= 0:
            raise ValueError(f"{name} must be more than 0")
    for name, allowed in one_of.items():
        if getattr(settings, name) not in allowed:
            raise ValueError(f"{name} must be {' or '.join(allowed)}")


def check_share_settings(settings: object, names: Iterable[str]) -> None:
    """Raises ValueError for the first of these settings that is no share."""
    for name in names:
        if not 0 <= getattr(settings, name) <= 1:
            raise ValueError(f"{name} must be a share from 0 to 1")
