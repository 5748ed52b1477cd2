"""What is published, as pandas frames: for notebooks and scripts.

Here: reading tables and views of one state, whole, with their types. Not here: publishing
(`warehouse/publish.py`), and other ways to read what is published (`docs/bi.md`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.settings import load_settings
from enrichment_pipeline.warehouse.counts import table_comments
from enrichment_pipeline.warehouse.publish import OUTCOME_TABLES, open_published

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class PublishedFrames(Mapping[str, "pd.DataFrame"]):
    """Tables and views of one published state, by their names.

    `published_at` and `run_id` say which state it is. Columns have the types that they have in the
    database (pandas' `ArrowDtype`): whole numbers, booleans and instants stay what they are where
    there are empty values among them.
    """

    published_at: datetime
    run_id: str
    frames: Mapping[str, "pd.DataFrame"] = field(repr=False)

    def __getitem__(self, name: str) -> "pd.DataFrame":
        return self.frames[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.frames)

    def __len__(self) -> int:
        return len(self.frames)


def read_published(
    folder: str | Path | None = None, tables: Sequence[str] = OUTCOME_TABLES
) -> PublishedFrames:
    """Read tables and views of the newest published state, all of the same one.

    `folder`: the state folder's `published/`; that of `ENRICHMENT_HOME`, where none is given.
    Raises PipelineError where nothing is published there, and for a name that is not there.
    """
    published = load_settings(needs_key=False).published_dir if folder is None else Path(folder)
    with open_published(published) as connection:
        names = [name.removeprefix("enrichment.") for name in table_comments(connection)]
        unknown = [name for name in tables if name not in names]
        if unknown:
            raise PipelineError(
                f"{published}: no table or view named {unknown[0]}; there are "
                f"{', '.join(sorted(names))}"
            )
        import pandas as pd  # only here: a command that reads no frame should not wait for it

        [(published_at, run_id)] = connection.table("enrichment.publication").fetchall()
        frames = {
            name: connection.table(f"enrichment.{name}")
            .to_arrow_table()
            .to_pandas(types_mapper=pd.ArrowDtype)
            for name in tables
        }
    return PublishedFrames(published_at, run_id, frames)
