"""What is wrong with a row of decisions, in words for the one who wrote it.

Here: one problem and how it reads. Not here: finding problems. What stands in a
cell is never repeated: problems go to terminals and to Dagster.
"""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """A row (as a spreadsheet counts), the column (empty: the row as a whole), what is wrong."""

    row: int
    column: str
    message: str
    contact_id: str = ""

    def __str__(self) -> str:
        whose = f" (contact {self.contact_id})" if self.contact_id else ""
        where = f", {self.column}" if self.column else ""
        return f"row {self.row}{whose}{where}: {self.message}"
