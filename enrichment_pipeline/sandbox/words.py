"""The words of a text, as names and companies are compared by the stand-ins that find people so.

Belongs here: case, accents, scripts and punctuation. Does not belong here: which texts are
compared, and what matches.
"""

from __future__ import annotations

import re
import unicodedata

from anyascii import anyascii


def words_in(text: str | None, *, reads_other_scripts: bool = True) -> frozenset[str]:
    """Its words, whatever their order, case and accents; in Latin letters, if those are read."""
    folded = anyascii(text or "") if reads_other_scripts else _without_accents(text or "")
    return frozenset(re.findall(r"\w+", re.sub(r"['’`.]", "", folded.casefold())))


def _without_accents(text: str) -> str:
    """The text without its accents."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
