"""The rules of the code itself: who imports what, and what no module may do.

Here: what holds for every module of the package, read from its source, so that a
new module is under the rules from its first day. Not here: what any of them does.
The contracts on imports stand in `pyproject.toml`, `[tool.importlinter]`.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from enrichment_pipeline.providers.registry import PROVIDERS

PROJECT = Path(__file__).resolve().parent.parent
PACKAGE = PROJECT / "enrichment_pipeline"

KNOW_A_PROVIDER = re.compile(r"(providers|sandbox)/({})/".format("|".join(PROVIDERS)))
"""Where a provider is known: in its folder, and to its stand-in."""

MAY_READ_ENVIRONMENT = {"settings.py", "cli/main.py", "cli/own_servers.py"}

# The ledger speaks SQLAlchemy, and where it does not, it is not DuckDB that listens.
NOT_DUCKDB = {"ledger"}

SQL_STATEMENT = re.compile(
    r"""\s*(
        (select|SELECT)\s.*\s(from|FROM)\s
        | (with|WITH)\s+((recursive|RECURSIVE)\s+)?\w+\s+(as|AS)\s+.*\(
        | (insert|INSERT)\s+((or|OR)\s+\w+\s+)?(into|INTO)\s
        | (merge|MERGE)\s+(into|INTO)\s
        | (delete|DELETE)\s+(from|FROM)\s
        | (update|UPDATE)\s+[\w.]+\s+(set|SET)\s
        | (create|CREATE)\s+((or|OR)\s+(replace|REPLACE)\s+)?((temp|TEMP)\w*\s+)?
          (table|TABLE|view|VIEW|macro|MACRO|schema|SCHEMA|function|FUNCTION)\s
    )""",
    re.VERBOSE | re.DOTALL,
)


def name_of(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.Module]:
    """The syntax tree of each module of the package."""
    found = {
        module: ast.parse(module.read_text(encoding="utf-8"), filename=str(module))
        for module in PACKAGE.rglob("*.py")
    }
    assert found
    return found


def test_imports_keep_to_the_architecture(tmp_path: Path):
    # A process of its own: import-linter keeps its settings and its output in globals.
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    linted = subprocess.run(
        [sys.executable, "-c", command, "--no-logo", "--cache-dir", str(tmp_path)],
        cwd=PROJECT,
        capture_output=True,
        encoding="utf-8",
    )
    assert linted.returncode == 0, f"import-linter says:\n{linted.stdout}{linted.stderr}"


def says_what_belongs_in_it(module: Path, docstring: str) -> bool:
    if module.name == "__init__.py":  # one line on what the package is; its modules say the rest
        return bool(docstring)
    lines = [line for line in docstring.splitlines() if line.strip()]
    sentences = re.findall(r"[.!?](?=\s|$)", docstring)
    return len(lines) >= 2 or len(sentences) >= 2


def test_each_module_says_what_belongs_in_it_and_what_does_not(trees: dict[Path, ast.Module]):
    assert [
        name_of(module)
        for module, tree in trees.items()
        if not says_what_belongs_in_it(module, ast.get_docstring(tree) or "")
    ] == []


def test_a_docstring_that_says_too_little_is_found():
    module, package = PACKAGE / "some.py", PACKAGE / "__init__.py"
    assert not says_what_belongs_in_it(module, "")
    assert not says_what_belongs_in_it(module, "Things.")
    assert not says_what_belongs_in_it(package, "")
    assert says_what_belongs_in_it(module, "Things. Not other things.")
    assert says_what_belongs_in_it(package, "A package.")


NAMED_MODULE = re.compile(r"`(?:[a-z_]+/)*([a-z_]+\.(?:py|sql))`")


def missing_modules(docstring: str, files: set[str]) -> set[str]:
    """The files that a head names and that are not there: it sends its reader astray."""
    return set(NAMED_MODULE.findall(docstring)) - files


def test_files_that_a_head_names_are_there(trees: dict[Path, ast.Module]):
    folders = (PACKAGE, PROJECT / "enrichment_pipeline_tests", PROJECT / "data")
    files = {each.name for folder in folders for each in folder.rglob("*.*")}
    found = {
        name_of(module): missing_modules(ast.get_docstring(tree) or "", files)
        for module, tree in trees.items()
    }
    assert {name: missing for name, missing in found.items() if missing} == {}


def test_a_head_that_names_a_missing_file_is_found():
    assert missing_modules("Here (`a.py`). Not here: `b/c.py`, `d`.", {"a.py"}) == {"c.py"}


def folder_of(name: str) -> str:
    """Where a module lies; the folders of providers and of their stand-ins pass for one."""
    return KNOW_A_PROVIDER.sub("a provider's/", name).rpartition("/")[0]


def namesakes(names: Iterable[str]) -> dict[str, set[str]]:
    """The modules that are called like one of another folder."""
    called: dict[str, set[str]] = {}
    for name in names:
        called.setdefault(name.rpartition("/")[2], set()).add(folder_of(name))
    return {
        name: folders
        for name, folders in called.items()
        if len(folders) > 1 and name != "__init__.py"
    }


def test_no_two_modules_are_called_the_same(trees: dict[Path, ast.Module]):
    assert namesakes(map(name_of, trees)) == {}


def test_modules_of_one_name_are_found_but_for_providers_and_their_stand_ins():
    parallel = [
        "providers/signalhire/faults.py",
        "sandbox/signalhire/faults.py",
        "providers/prospeo/faults.py",
    ]
    assert namesakes([*parallel, "a/__init__.py", "b/__init__.py"]) == {}
    assert namesakes([*parallel, "ledger/faults.py"]) == {"faults.py": {"a provider's", "ledger"}}


CHANGES = {"Collected", "ReadReplies", "DispatchReport", "_Queue"}
"""What counts or gathers. Every other value of these packages is told once, and stays as told."""


def changing_values(tree: ast.Module) -> Iterator[str]:
    """The dataclasses of a module that are not frozen."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            names = [ast.unparse(decorator) for decorator in node.decorator_list]
            if any(name.startswith("dataclass") and "frozen=True" not in name for name in names):
                yield node.name


def test_what_was_decided_about_a_call_does_not_change(trees: dict[Path, ast.Module]):
    packages = {"ledger", "dispatch", "providers"}
    found = {
        name
        for module, tree in trees.items()
        if module.relative_to(PACKAGE).parts[0] in packages
        for name in changing_values(tree)
    }
    assert found == CHANGES


def environment_reads(tree: ast.Module) -> Iterator[int]:
    """The lines on which the process's environment is named."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name("os"), attr="environ" | "environb" | "getenv"):
                yield node.lineno
            case ast.ImportFrom(module="os", names=names):
                if {"environ", "environb", "getenv"} & {alias.name for alias in names}:
                    yield node.lineno


def test_only_settings_and_cli_read_the_environment(trees: dict[Path, ast.Module]):
    assert [
        (name_of(module), line)
        for module, tree in trees.items()
        if name_of(module) not in MAY_READ_ENVIRONMENT
        for line in environment_reads(tree)
    ] == []


def text_of(node: ast.AST) -> str:
    """The text of a string literal, with a word in the place of each interpolation."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(text_of(part) for part in parts)
        case ast.FormattedValue():
            return "x"
        case _:
            return ""


def long_sql(tree: ast.Module) -> Iterator[int]:
    """The lines on which an SQL statement begins that does not end on the same line."""
    for node in ast.walk(tree):
        match node:
            case ast.Constant() | ast.JoinedStr() if node.lineno != node.end_lineno:
                if SQL_STATEMENT.match(text_of(node)):
                    yield node.lineno


def test_sql_lives_in_files(trees: dict[Path, ast.Module]):
    assert [
        (name_of(module), line)
        for module, tree in trees.items()
        if module.relative_to(PACKAGE).parts[0] not in NOT_DUCKDB
        for line in long_sql(tree)
    ] == []


@pytest.mark.parametrize(
    "source",
    [
        'q = """\n  select a\n  from b\n"""',
        'q = ("select a "\n     "from b where c")',
        'q = f"""create or replace table {name}\nas from b"""',
        'q = """with recent as (\n select 1)\nselect a from recent"""',
        'q = """merge into a\nusing b"""',
    ],
)
def test_long_sql_is_found(source: str):
    assert list(long_sql(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        'q = "select count(*) from b"',
        'help = """Select the lanes\nfrom a comma list."""',
        'help = """with no lane named,\nall of them (every one) run"""',
        'names = [\n    "select a from b",\n    "select c from d",\n]',
    ],
)
def test_prose_and_short_sql_are_left_alone(source: str):
    assert not list(long_sql(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    ["import os\nos.environ['A']", "import os\nos.getenv('A')", "from os import environ"],
)
def test_environment_reads_are_found(source: str):
    assert list(environment_reads(ast.parse(source)))


# The user's settings and two lists name a provider, too.
LIST_PROVIDERS = {"settings.py", "policy.py", "providers/registry.py", "sandbox/stand_ins.py"}

# Keys of a provider's JSON that are ours as well: evidence for reviewers names a profile by `uid`,
# whoever gave it, with the `score` of the search that found it.
OUR_OWN_KEYS = {"uid", "score"}

JSON_PATH = re.compile(r"'\$\.{1,2}([\w.\[\]*]+)'")
JSON_SHAPE_KEY = re.compile(r'"(\w+)":\s*[\["{]')
CAMEL_CASE = re.compile(r"\b[a-z]+[A-Z]\w*\b")


def keys_in_sql(text: str) -> set[str]:
    """The keys by which a statement takes JSON apart: in paths, and in shapes that it reads."""
    in_paths = {
        key for path in JSON_PATH.findall(text) for key in re.findall(r"[A-Za-z_]\w*", path)
    }
    return in_paths | set(JSON_SHAPE_KEY.findall(text))


def keys_in_module(text: str) -> set[str]:
    """Those of its words that can only be keys: what is written so is no English, nor ours."""
    return {
        word
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for word in CAMEL_CASE.findall(node.value)
    }


def keys_in(name: str, text: str) -> set[str]:
    """What a file may take JSON apart by: in SQL any key, elsewhere what is no word of English."""
    return set(CAMEL_CASE.findall(text)) | (keys_in_sql(text) if name.endswith(".sql") else set())


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """Every file of the package that people write, by its name."""
    return {
        name_of(file): file.read_text(encoding="utf-8")
        for file in PACKAGE.rglob("*")
        if file.is_file() and file.suffix not in {".pyc", ".typed"}
    }


@pytest.fixture(scope="module")
def outside(texts: dict[str, str]) -> dict[str, str]:
    """The files that are of no provider's folder."""
    return {name: text for name, text in texts.items() if not KNOW_A_PROVIDER.match(name)}


@pytest.fixture(scope="module")
def keys(texts: dict[str, str]) -> set[str]:
    """The keys by which providers' folders take their JSON apart."""
    own = {name: text for name, text in texts.items() if KNOW_A_PROVIDER.match(name)}
    in_sql = (keys_in_sql(text) for name, text in own.items() if name.endswith(".sql"))
    in_modules = (keys_in_module(text) for name, text in own.items() if name.endswith(".py"))
    found = set().union(*in_sql, *in_modules) - OUR_OWN_KEYS
    assert {"candidate", "fullName", "experience", "subType", "requestId", "scrollId"} <= found
    return found


def test_no_file_outside_its_folder_names_a_provider(outside: dict[str, str]):
    names = [re.escape(name) for one in PROVIDERS.values() for name in (one.name, one.title)]
    named = re.compile("|".join(names), re.IGNORECASE)
    assert {name for name, text in outside.items() if named.search(text)} == LIST_PROVIDERS


def test_no_file_outside_its_folder_knows_the_json_of_a_provider(
    outside: dict[str, str], keys: set[str]
):
    taken_apart = {name: keys_in(name, text) & keys for name, text in outside.items()}
    assert {name: found for name, found in taken_apart.items() if found} == {}


@pytest.mark.parametrize(
    "statement",
    [
        "select json_extract_string(answer, '$.candidate.fullName')",
        "select answer ->> '$..experience[*].company'",
        """select from_json(answer, '{"candidate": {"uid": "VARCHAR"}}')""",
    ],
)
def test_keys_of_json_are_found(statement: str):
    assert keys_in_sql(statement) & {"candidate", "experience"}
