"""A small frame of contacts, and what they have come to as a frame of the same kind.

Here: rows of a pandas frame or an Arrow table as contacts, and answers as its columns. Not here:
entering them (`enricher.py`), and a frame that is the whole source (`steps/hand_in.py`).
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from enrichment_pipeline.entry.contact import EnteredContact
from enrichment_pipeline.entry.enrichment import Enrichment

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Frame = TypeVar("Frame", "pd.DataFrame", "pa.Table")

MOST_ROWS = 1_000
SHOWN_ROWS = 10
RATED = ("work_email", "personal_email", "direct_phone", "mobile_phone")
FIELDS = (
    *RATED,
    *("full_name", "job_title", "seniority", "company_name", "company_domain", "company_website"),
    *("company_industry", "company_employee_count", "linkedin_url", "location"),
)
"""What an enrichment can have, each a column; those that are rated have one more, `…_status`."""


def contacts_in(frame: "pd.DataFrame | pa.Table") -> list[EnteredContact]:
    """The contacts of a frame's rows, in their order.

    Raises ValueError for what cannot be taken, which names columns and rows by their position,
    from 0, and quotes nothing that stands in them.
    """
    columns = _columns_of(frame)
    known = list(EnteredContact.model_fields)
    if unknown := [name for name in columns if name not in known]:
        raise ValueError(
            f"frame: the column {unknown[0]} is none of a contact's; rename it or leave it out "
            f"(there are {', '.join(known)})"
        )
    size = max(map(len, columns.values()), default=0)
    if size > MOST_ROWS:
        raise ValueError(
            f"frame: {size:,} rows are more than the {MOST_ROWS:,} that are taken at once; let a "
            "run enrich them, with the frame handed in as its contacts (build_definitions)"
        )
    contacts: list[EnteredContact] = []
    problems: dict[int, str] = {}
    for position in range(size):
        try:
            row = {name: _text(values[position], name) for name, values in columns.items()}
            contacts.append(EnteredContact.model_validate(row))
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            problems[position] = f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
        except TypeError as error:
            problems[position] = str(error)
    if problems:
        first, told = next(iter(problems.items()))
        rows = ", ".join(map(str, list(problems)[:SHOWN_ROWS]))
        more = ", …" if len(problems) > SHOWN_ROWS else ""
        raise ValueError(
            f"frame: row {first}, counted from 0: {told}. Nothing was entered; "
            f"{len(problems)} of {size} rows cannot be taken: {rows}{more}"
        )
    return contacts


def as_frame(enrichments: Iterable[Enrichment], like: Frame) -> Frame:
    """What the rows of a frame have come to: as many rows in the same order, with its index."""
    import pandas as pd
    import pyarrow as pa

    rows = [_row_of(each) for each in enrichments]
    table = pa.Table.from_pylist(rows, schema=_schema())
    if isinstance(like, pa.Table):
        return table
    shown = table.to_pandas(types_mapper=pd.ArrowDtype)
    shown.index = like.index
    return shown


def _columns_of(frame: "pd.DataFrame | pa.Table") -> dict[str, Sequence[object]]:
    import pandas as pd
    import pyarrow as pa

    if isinstance(frame, pd.DataFrame):
        names = [str(name) for name in frame.columns]
        values = [frame.iloc[:, place].tolist() for place in range(len(names))]
    elif isinstance(frame, pa.Table):
        names = frame.column_names
        values = [column.to_pylist() for column in frame.columns]
    else:
        raise TypeError(f"a {type(frame).__name__} is neither a pandas frame nor an Arrow table")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"frame: there are several columns {twice}")
    return dict(zip(names, values, strict=True))


def _text(value: object, column: str) -> str | None:
    """A cell as the text that a contact has; None where it is empty, however that is written."""
    import pandas as pd

    if isinstance(value, str):
        return value.strip() or None
    if not pd.api.types.is_scalar(value):
        raise TypeError(f"{column}: is a {type(value).__name__}, and no text")
    if pd.isna(value):
        return None
    if isinstance(value, float) and value.is_integer():  # whole numbers, where some were missing
        return str(int(value))
    return value.isoformat() if isinstance(value, date) else str(value)


def _row_of(enrichment: Enrichment) -> dict[str, object]:
    row: dict[str, object] = {
        "contact_id": enrichment.contact_id,
        "status": enrichment.status,
        "reason": enrichment.reason,
        "needs_manual_enrichment": enrichment.needs_manual_enrichment,
        "credits": enrichment.credits,
        "next_lookup_at": enrichment.next_lookup_at,
    }
    for name, found in enrichment.fields.items():
        row[name] = found.value
        row[f"{name}_status"] = found.status
    return row


def _schema() -> "pa.Schema":
    import pyarrow as pa

    fields: list[str] = []
    for name in FIELDS:
        fields += [name, f"{name}_status"] if name in RATED else [name]
    return pa.schema(
        [
            *((name, pa.string()) for name in ("contact_id", "status", "reason")),
            ("needs_manual_enrichment", pa.bool_()),
            *((name, pa.string()) for name in fields),
            ("credits", pa.int64()),
            ("next_lookup_at", pa.timestamp("us", tz="UTC")),
        ]
    )
