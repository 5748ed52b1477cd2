"""The text of a policy file that names a source.

Here: TOML, as `enrichment init` writes it. Not here: what the keys mean (`policy.py`), and the
queries (`warehouse/proposed_mapping.py`).
"""

import json
from collections.abc import Sequence


def policy_text(
    attach: str,
    *,
    name: str | None = None,
    contacts: str | None = None,
    accounts: str | None = None,
    providers: Sequence[str] = (),
) -> str:
    """A policy file with these values; what is not given keeps its default."""
    given = {"attach": attach, "name": name, "contacts": contacts, "accounts": accounts}
    lines = [
        "# Written by `enrichment init`. It is yours to change; docs/policy.md lists every key.",
        "",
        "[source]",
        *(f"{key} = {_as_toml(value)}" for key, value in given.items() if value is not None),
    ]
    if providers:
        lines += ["", "[waterfall]", f"order = {json.dumps(list(providers))}"]
    return "\n".join(lines) + "\n"


def _as_toml(text: str) -> str:
    """A string of one line, or, as long as nothing in it has to be escaped, of several."""
    is_plain = "'''" not in text and all(each.isprintable() or each == "\n" for each in text)
    if "\n" in text and is_plain:
        return f"'''\n{text}\n'''"
    return json.dumps(text, ensure_ascii=False)
