"""The object `data` of a JSON body, in which several providers put what they have to tell.

Here: taking it out of a body that may be anything. Not here: what it means (`answers.py`).
"""

import json
from typing import Any


def data_in(body: bytes) -> dict[str, Any] | None:
    """That object; None for a body that has none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    data = document.get("data") if isinstance(document, dict) else None
    return data if isinstance(data, dict) else None
