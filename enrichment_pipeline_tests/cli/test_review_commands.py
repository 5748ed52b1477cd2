"""`enrichment review`: the queue, a file of it, and the decisions that come back."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pytest
from openpyxl import load_workbook

from enrichment_pipeline_tests.cli.conftest import Command
from enrichment_pipeline_tests.end_to_end.world import contents


def exported(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def fill_in(path: Path, decisions: Mapping[str, Mapping[str, str]], separator: str = ",") -> None:
    """Write these cells into the rows of these contacts, as somebody with a spreadsheet does."""
    rows = [{**row, **decisions.get(row["contact_id"], {})} for row in exported(path)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)


def statuses(home: Path) -> dict[str, tuple[str, str | None]]:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "select contact_id, status, reason from enrichment.contact_status"
        ).fetchall()
    return {contact_id: (status, reason) for contact_id, status, reason in rows}


@pytest.mark.parametrize(
    "arguments",
    [
        ("review",),
        ("review", "export", "--output", "queue.csv"),
        ("replay", "--yes"),
        ("undo", "run-1", "--yes"),
        ("ask-again", "C1"),
    ],
)
def test_in_a_state_folder_that_no_run_has_used_there_is_nothing_to_correct(
    enrichment: Command, variables: dict[str, object], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    home = tmp_path / "mistyped"
    said = enrichment(*arguments, **variables, ENRICHMENT_HOME=home)
    assert (said.status, said.out) == (2, "")
    assert "nothing here yet" in said.err
    assert str(home) in said.err
    assert not home.exists()


def test_a_queue_is_exported_decided_and_imported(ours: Command, tmp_path: Path) -> None:
    shown = ours("review")
    assert shown.status == 0
    assert "no_match" in shown.out
    path = tmp_path / "review.csv"
    assert ours("review", "export", "--output", str(path)).status == 0
    rows = exported(path)
    replaced, never = (row["contact_id"] for row in rows[:2])
    fill_in(
        path,
        {
            replaced: {"decision": "Replace ", "work_email": "kim@acme.com", "note": "=SUM(A1)"},
            never: {"decision": "never", "decided_by": "Kim"},
        },
        separator=";",
    )
    said = ours("review", "import", str(path), "--decided-by", "Eva")
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith("2 decisions recorded")
    now = statuses(tmp_path / "state")
    assert now[replaced] == ("enriched", None)
    assert now[never] == ("suppressed", None)
    with duckdb.connect(str(tmp_path / "state/warehouse.duckdb"), read_only=True) as connection:
        kept = connection.execute(
            "select decided_by, note, source from raw.review_decisions order by decided_by"
        ).fetchall()
    assert kept == [("Eva", "=SUM(A1)", "import"), ("Kim", None, "import")]
    # who was never to be asked again is in the ledger's list, as hashes
    again = ours("review", "import", str(path))
    assert again.out.startswith("0 decisions recorded, 2 stood already")
    assert ours("replay").out.strip() == "nothing changes"


@pytest.mark.long
def test_the_next_run_changes_none_of_what_was_decided(ours: Command, tmp_path: Path) -> None:
    path, state = tmp_path / "review.csv", tmp_path / "state"
    ours("review", "export", "--output", str(path))
    replaced, never = (row["contact_id"] for row in exported(path)[:2])
    fill_in(
        path,
        {
            replaced: {"decision": "replace", "work_email": "kim@acme.com"},
            never: {"decision": "never"},
        },
    )
    assert ours("review", "import", str(path)).status == 0
    before, decided = contents(state), statuses(state)
    assert ours("run").status == 0
    assert statuses(state) == decided
    table = "enrichment.enriched_contacts"
    assert contents(state)[table] == before[table]


def test_one_id_that_fits_no_cell_is_told_and_everybody_else_is_exported(
    ours: Command, tmp_path: Path
) -> None:
    with duckdb.connect(str(tmp_path / "state/warehouse.duckdb")) as connection:
        waiting = connection.execute("select count(*) from enrichment.needs_review").fetchall()
        [(first,)] = connection.execute(
            "select min(contact_id) from enrichment.needs_review"
        ).fetchall()
        for table in ("enrichment.needs_review", "staging.contacts"):
            connection.execute(
                f"update {table} set contact_id = repeat(chr(27), 1000000) where contact_id = $id",
                {"id": first},
            )
    for name in ("a.csv", "a.xlsx"):
        said = ours("review", "export", "--output", str(tmp_path / name))
        assert said.status == 0, said
        assert said.out.startswith(f"{waiting[0][0] - 1} contacts in ")
        assert "left out, since it does not fit into a cell: \\x1b\\x1b" in said.err
        assert len(said.err) < 1000
        assert ours("review", "import", str(tmp_path / name)).status == 0


@pytest.mark.long
def test_retry_has_a_contact_looked_up_in_the_next_run(ours: Command, tmp_path: Path) -> None:
    path = tmp_path / "review.xlsx"
    assert ours("review", "export", "--output", str(path), "--reason", "no_match").status == 0
    book = load_workbook(path)
    sheet = book["review"]
    names = [cell.value for cell in sheet[1]]
    sheet.cell(2, names.index("decision") + 1).value = "retry"
    contact_id = sheet.cell(2, 1).value
    book.save(path)
    assert ours("review", "import", str(path)).status == 0
    assert statuses(tmp_path / "state")[contact_id] == ("queued", None)
    assert ours("run").status == 0
    assert statuses(tmp_path / "state")[contact_id] == ("needs_review", "no_match")
    with duckdb.connect(str(tmp_path / "state/warehouse.duckdb"), read_only=True) as connection:
        last = connection.execute(
            "select freshness, supersedes <> '' from raw.lookups order by requested_at desc limit 1"
        ).fetchall()
    assert last == [("retry", True)]


def test_everything_that_is_wrong_is_said_and_nothing_is_imported(
    ours: Command, tmp_path: Path
) -> None:
    path = tmp_path / "review.csv"
    ours("review", "export", "--output", str(path))
    first, second, third = (row["contact_id"] for row in exported(path)[:3])
    fill_in(
        path,
        {
            first: {"decision": "never"},
            second: {"decision": "maybe"},
            third: {"decision": "replace", "direct_phone": "12", "work_email": "secret at acme"},
        },
    )
    before = contents(tmp_path / "state")
    said = ours("review", "import", str(path))
    assert said.status == 2
    lines = said.err.splitlines()
    assert [line.partition(":")[0] for line in lines[:-1]] == [
        f"row 3 (contact {second}), decision",
        f"row 4 (contact {third}), direct_phone",
        f"row 4 (contact {third}), work_email",
    ]
    assert lines[-1].endswith("2 rows are wrong; nothing was imported")
    assert "secret" not in said.err
    assert contents(tmp_path / "state") == before


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("export",), "--output"),
        (("export", "--output", "a.txt"), "--format"),
        (("export", "--output", "a.csv", "--format", "ods"), "'ods'"),
        (("export", "--output", "a.csv", "--reason", "no_mach"), "nothing waits for no_mach"),
        (("export", "--output", "a.csv", "--priority", "huge"), "unknown huge"),
        (("export", "--output", "a.csv", "--limit", "0"), "--limit"),
        (("import", "missing.csv"), "missing.csv: cannot be read"),
        (("frobnicate",), "frobnicate"),
    ],
)
def test_mistakes_are_one_line_with_status_2(
    ours: Command, arguments: tuple[str, ...], complaint: str
) -> None:
    said = ours("review", *arguments)
    assert said.status == 2
    assert complaint in said.err
    assert len(said.err.strip().splitlines()) == 1


def test_a_file_that_is_there_is_kept_unless_forced(ours: Command, tmp_path: Path) -> None:
    path = tmp_path / "review.csv"
    path.write_text("mine", encoding="utf-8")
    said = ours("review", "export", "--output", str(path))
    assert (said.status, "--force" in said.err, path.read_text("utf-8")) == (2, True, "mine")
    assert ours("review", "export", "--output", str(path), "--force").status == 0
    assert exported(path)
