"""The pages of the documentation that are written from something else, so that they cannot drift.

Here: `docs/reference/` from the code's own declarations; the start page from the README, a page for
each provider from the README in its folder, and `llms.txt`, the list of all pages. A test compares
them with what is committed. Not here: anything that is told in sentences of its own (the other
pages of `docs/`).

`make reference` writes them.
"""

import ast
import inspect
import json
import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent
from typing import Annotated, Any, Literal, cast, get_args, get_origin

import typer
from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import enrichment_pipeline
from enrichment_pipeline import vocabulary
from enrichment_pipeline.cli.main import app
from enrichment_pipeline.entry.callers import Callers
from enrichment_pipeline.entry.contact_routes import create_app
from enrichment_pipeline.entry.desk import Desk
from enrichment_pipeline.entry.entry_metrics import EntryMetrics
from enrichment_pipeline.policy import Policy, ProviderPolicy
from enrichment_pipeline.providers.registry import FIRST, PROVIDERS
from enrichment_pipeline.receiver.metrics import ReceiverMetrics
from enrichment_pipeline.settings import Environment, base_url_variable, key_variable
from enrichment_pipeline.warehouse.connection import open_warehouse
from enrichment_pipeline.warehouse.counts import column_shapes, table_comments
from enrichment_pipeline.warehouse.publish import open_published, publish

PROJECT = Path(__file__).resolve().parent.parent
DOCS = PROJECT / "docs"
Rows = Iterable[Sequence[str]]


def main() -> None:
    for name, text in pages().items():
        path = DOCS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """Every page by its path within `docs/`."""
    made = {f"reference/{name}.md": page() for name, page in REFERENCE.items()}
    copied = {"index.md": PROJECT / "README.md"} | {
        f"providers/{name}.md": PROJECT / "enrichment_pipeline" / "providers" / name / "README.md"
        for name in PROVIDERS
    }
    made |= {name: moved(source, DOCS / name) for name, source in copied.items()}
    return {**made, "llms.txt": llms_txt(made)}


def moved(source: Path, page: Path) -> str:
    """A page's text with its links as they are from another place.

    What is no page of the documentation is named, and not linked to.
    """

    def link(found: re.Match[str]) -> str:
        shown, target = found["shown"], found["target"]
        path, hash_sign, anchor = target.partition("#")
        if "://" in path or not path:
            return found[0]
        there = (source.parent / path).resolve()
        if not there.is_relative_to(DOCS):
            return shown.strip("[]")
        return f"{shown}({os.path.relpath(there, page.parent)}{hash_sign}{anchor})"

    return LINK.sub(link, source.read_text(encoding="utf-8"))


LINK = re.compile(r"(?P<shown>!?\[[^\]]*\])\((?P<target>[^)\s]+)\)")


# --- commands --------------------------------------------------------------------------


COMMANDS = """
# Commands

| exit status | when |
| --- | --- |
| 0 | the command did what it says, also where a budget or the credits ended it early |
| 2 | a mistake in arguments, configuration or source, told in a line (for a file of decisions in \
one each); no contact, fact or decision was changed |
| 1 | anything else, also where a provider that refuses or fails ended the run early, or left more \
than a tenth of its look-ups `unconfirmed`, or where a sink could not be filled |

Ctrl+C (likewise SIGTERM, and a terminal that is closed) waits for the answers that are on the \
wire, and keeps them.

`--as-of` says what is due: ages are counted to that instant. `--simulate` lets it be any instant \
and dates everything with it, for trials; it is refused against a provider's own host.
"""


def commands() -> str:
    blocks = [COMMANDS]
    for name, command in _commands(typer.main.get_command(app), "enrichment"):
        blocks += [f"## {name}", _paragraph(command.help or "")]
        rows = [_parameter(each) for each in command.params if not getattr(each, "hidden", False)]
        if rows:
            blocks.append(_table(("argument or option", "takes", "default", "does"), rows))
    return _page(blocks)


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    within = getattr(command, "commands", {})
    if not within or command.params:
        yield name, command
    for each in sorted(within):
        if not within[each].hidden:
            yield from _commands(within[each], f"{name} {each}")


def _parameter(parameter: Any) -> Sequence[str]:
    is_option = parameter.param_type_name == "option"
    names = (*parameter.opts, *parameter.secondary_opts) if is_option else (parameter.name.upper(),)
    default = parameter.default
    if callable(default) or default in (None, False, (), []):
        default = "required" if parameter.required else ""
    is_flag = getattr(parameter, "is_flag", False)
    takes = "" if is_flag else _kind(parameter.type_descriptor.annotation)
    return " ".join(f"`{name}`" for name in names), takes, str(default), parameter.help or ""


def _kind(annotation: Any) -> str:
    """What an option takes, in a word."""
    if get_origin(annotation) is Literal:
        return " ".join(f"`{choice}`" for choice in get_args(annotation))
    if get_origin(annotation) is list:
        return f"{_kind(get_args(annotation)[0])}, several"
    return {str: "text", int: "whole number", float: "number", Path: "path"}[annotation]


# --- the list of all pages -------------------------------------------------------------


def llms_txt(made: Mapping[str, str]) -> str:
    """The navigation as programs read it, by the convention of llmstxt.org."""
    site = tomllib.loads((PROJECT / "zensical.toml").read_text(encoding="utf-8"))["project"]
    blocks = [f"# {site['site_name']}", f"> {site['site_description']}"]
    blocks += [
        f"## {title}\n\n" + "\n".join(f"- [{_title(page, made)}]({page})" for page in _within(part))
        for section in site["nav"]
        for title, part in section.items()
    ]
    return _page(blocks)


def _within(part: Any) -> Iterator[str]:
    """The pages of a part of the navigation, which is a page, a list or a table of them."""
    if isinstance(part, str):
        yield part
    else:
        for each in part.values() if isinstance(part, dict) else part:
            yield from _within(each)


def _title(page: str, made: Mapping[str, str]) -> str:
    text = made[page] if page in made else (DOCS / page).read_text(encoding="utf-8")
    return text.partition("# ")[2].partition("\n")[0]


# --- environment -----------------------------------------------------------------------


def environment() -> str:
    rows = [
        (f"`{field.validation_alias}`", field.description)
        for field in Environment.model_fields.values()
        if field.description
    ]
    for name, facts in PROVIDERS.items():
        rows += [
            (f"`{key_variable(name)}`", f"The key of your account with {facts.title}"),
            (
                f"`{base_url_variable(name)}`",
                (
                    f"Where {facts.title} is reached; `{facts.api}`, or with the sandbox a "
                    "stand-in that is started, where it is not set"
                ),
            ),
        ]
    blocks = ["# Environment", "What the commands read from the environment."]
    return _page([*blocks, _table(("variable", "is"), rows)])


# --- the policy file -------------------------------------------------------------------


def policy_keys() -> str:
    blocks = [
        "# Policy keys",
        "Every key of the policy file. [The policy file](../policy.md) has them as an example.",
    ]
    for name, field in Policy.model_fields.items():
        kind = _section(field.annotation)
        title = f"[{name}]" if name != "providers" else "[providers.NAME]"
        if kind is ProviderPolicy and name != "providers":
            continue  # the first provider's table has the keys of any provider's
        if kind is ProviderPolicy:
            title = f"[{FIRST}], {title}"
        if get_origin(field.annotation) is tuple:
            title = f"[{title}]"
        blocks += [f"## {title}", _paragraph(kind.__doc__ or "")]
        blocks.append(_table(("key", "takes", "default", "is"), _keys(kind)))
    return _page(blocks)


def _keys(section: type[BaseModel], prefix: str = "") -> Iterator[Sequence[str]]:
    told = _attribute_docstrings(section)
    for name, field in section.model_fields.items():
        kind = _section(field.annotation)
        is_table = inspect.isclass(field.annotation) and issubclass(kind, BaseModel)
        if is_table:
            yield from _keys(kind, f"{prefix}{name}.")
        else:
            default = field.get_default(call_default_factory=True, validated_data={})
            shown = "" if default is PydanticUndefined or default is None else _toml(default)
            key = f"`{prefix}{field.alias or name}`"
            yield key, _takes(field), shown, told.get(name, "")


def _section(annotation: Any) -> Any:
    """The model that a field holds, alone, by name or several; else its type."""
    if get_origin(annotation) is dict:
        return get_args(annotation)[1]
    if get_origin(annotation) is tuple:
        return get_args(annotation)[0]
    return annotation


def _takes(field: FieldInfo) -> str:
    kind = str(_plain(field.annotation))
    limits = {
        "ge": "from {}", "gt": "more than {}", "le": "to {}", "min_length": "", "decimal_places": ""
    }  # fmt: skip
    bounds = [
        limits[name].format(getattr(each, name))
        for each in field.metadata
        for name in limits
        if limits[name] and getattr(each, name, None) is not None
    ]
    return " ".join([kind, *bounds])


def _plain(annotation: Any) -> str:
    """A type in the words of TOML."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _plain(inner[0])
    if origin is Literal:
        return " ".join(f'`"{choice}"`' for choice in inner)
    if origin in (tuple, list):
        return f"list of {_plain(inner[0])}"
    if origin is dict:
        return "table"
    if inner:  # or nothing
        return _plain(inner[0])
    words = {str: "text", int: "whole number", bool: "true or false", float: "number"}
    return words.get(annotation, "number" if annotation is Decimal else "table")


def _toml(value: object) -> str:
    if isinstance(value, Decimal):
        return f"`{value}`"
    return f"`{json.dumps(list(value) if isinstance(value, tuple) else value)}`"


def _attribute_docstrings(of: type) -> dict[str, str]:
    """The string below each attribute, by its name."""
    [definition] = ast.parse(dedent(inspect.getsource(of))).body
    return {
        attribute.target.id: inspect.cleandoc(text.value.value)
        for attribute, text in pairwise(cast("ast.ClassDef", definition).body)
        if isinstance(attribute, ast.AnnAssign)
        and isinstance(attribute.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


# --- what people read ------------------------------------------------------------------


def tables() -> str:
    at = datetime(2000, 1, 1, tzinfo=UTC)
    blocks = [
        "# Tables and views",
        (
            "What `ENRICHMENT_HOME/published/warehouse.duckdb` holds, in the schema `enrichment`; "
            "beside it each lies as Parquet, too."
        ),
    ]
    with TemporaryDirectory() as folder:
        with open_warehouse(f"{folder}/warehouse.duckdb") as connection:
            publish(connection, Path(folder), run_id="", published_at=at)
        with open_published(Path(folder)) as connection:
            comments, shapes = table_comments(connection), column_shapes(connection)
    for table in sorted(comments):
        rows = [(f"`{each.name}`", _type(each.type), each.comment or "") for each in shapes[table]]
        name = table.removeprefix("enrichment.")
        blocks += [f"## {name}", _sentence(comments[table]), _table(("column", "type", "is"), rows)]
    return _page(blocks)


def _type(name: str) -> str:
    """The type as SQL writes it, short where it is nested."""
    return "a list of structs" if name.startswith("STRUCT") and name.endswith("[]") else name


# --- HTTP ------------------------------------------------------------------------------


def http() -> str:
    entry = create_app(
        cast("Desk", None),
        cast("Callers", None),
        EntryMetrics(CollectorRegistry()),
        refuse_url=lambda _: None,
    )
    document = entry.openapi()
    schemas = document["components"]["schemas"]
    blocks = [
        "# HTTP",
        (
            "What `enrichment serve` answers. `/openapi.json` is the same for tools, `/docs` in "
            "the browser."
        ),
    ]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            blocks += [f"## {method.upper()} {path}", _paragraph(operation.get("description", ""))]
            given = [
                (f"`{each['name']}`", each["in"], each.get("description", ""))
                for each in operation.get("parameters", ())
            ]
            if given:
                blocks.append(_table(("parameter", "in", "is"), given))
            for body in operation.get("requestBody", {}).get("content", {}).values():
                blocks += ["The body:", _fields(body["schema"], schemas)]
            answers = [
                (f"`{status}`", _sentence(answer["description"]))
                for status, answer in operation["responses"].items()
            ]
            blocks.append(_table(("status", "when"), answers))
    for name in ("Enrichment", "Problem"):
        blocks += [f"## {name}", _paragraph(schemas[name].get("description", ""))]
        blocks.append(_fields(schemas[name], schemas))
    return _page(blocks)


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    schema = _resolved(schema, schemas)
    rows = [
        (f"`{name}`", _json_type(each, schemas), each.get("description", ""))
        for name, each in schema.get("properties", {}).items()
    ]
    return _table(("field", "type", "is"), rows)


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    return schemas[reference.rpartition("/")[2]] if reference else schema


def _json_type(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_json_type(each, schemas) for each in schema["anyOf"])
    if "enum" in schema:
        return " ".join(f"`{each}`" for each in schema["enum"])
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    return schema.get("format") or schema.get("type", "any")


# --- Python ----------------------------------------------------------------------------


def python() -> str:
    blocks = ["# Python", "What `enrichment_pipeline` gives to other projects."]
    for name in sorted(enrichment_pipeline.__all__):
        found = getattr(enrichment_pipeline, name)
        blocks += [f"## {name}", *_described(name, found)]
        if inspect.isclass(found):
            for method, each in vars(found).items():
                if not method.startswith("_") and inspect.isfunction(each):
                    blocks += [f"### {name}.{method}", *_described(method, each)]
    return _page(blocks)


def _described(name: str, found: Callable[..., object]) -> list[str]:
    signature = re.sub(r"[\w.]+\.(?=[A-Z])", "", str(inspect.signature(found)))
    prefix = "async def " if inspect.iscoroutinefunction(found) else "def "
    kind = "class " if inspect.isclass(found) else prefix
    return [f"```python\n{kind}{name}{signature}\n```", inspect.getdoc(found) or ""]


# --- words and metrics -----------------------------------------------------------------


def words() -> str:
    blocks = ["# Words", "What stands in columns of a fixed set of words, and what each means."]
    for title, columns, enumeration in (
        ("Statuses of a contact", "`contact_status.status`", vocabulary.CONTACT_STATUSES),
        ("Reasons for review", "`needs_review.reason`", vocabulary.REVIEW_REASONS),
        ("Freshness", "`contact_status.freshness`", vocabulary.CONTACT_FRESHNESS),
        ("Why a contact stands there", "`freshness_reason`", vocabulary.FRESHNESS_REASONS),
        ("Statuses of a value", "`…_status`", vocabulary.VALUE_STATUSES),
        ("Statuses of a verified address", "`verifications`", vocabulary.ADDRESS_STATUSES),
        ("States of a look-up", "`lookups.state`", vocabulary.LOOKUP_STATES),
        ("Outcomes of a call", "`lookups.outcome`", vocabulary.OUTCOMES),
        ("Judgements of an answer", "`judgement`", vocabulary.JUDGEMENTS),
        ("Verdicts of a search", "`search_results.verdict`", vocabulary.VERDICTS),
        ("Decisions of a reviewer", "`decision`", vocabulary.REVIEW_DECISIONS),
        ("What became of mail", "`[feedback] bounces`", vocabulary.FEEDBACK_KINDS),
    ):
        fields = [each for each in enumeration[0]._fields if each not in _OF_CODE_ONLY]
        rows = [_word(each, fields) for each in cast("Iterable[Any]", enumeration)]
        heads = [_HEADS.get(field, field) for field in fields]
        blocks += [f"## {title}", f"In {columns}.", _table(heads, rows)]
    return _page(blocks)


_OF_CODE_ONLY = ("about_profile", "takes_values")
_HEADS = {"meaning": "means", "advice": "what you can do"}


def _word(word: Any, fields: Sequence[str]) -> Sequence[str]:
    return [
        f"`{getattr(word, field)}`" if field in ("word", "freshness") else getattr(word, field)
        for field in fields
    ]


def metrics() -> str:
    blocks = [
        "# Metrics",
        (
            "For Prometheus. Of the point of entry at `http://127.0.0.1:8091/metrics`, of the "
            "receiver at the port that its `--metrics-port` names."
        ),
    ]
    for title, served in (
        ("The point of entry", EntryMetrics(CollectorRegistry())),
        ("The receiver", ReceiverMetrics(CollectorRegistry())),
    ):
        found = {
            f"`{metric.name}{'_total' if metric.type == 'counter' else ''}`": (
                metric.type,
                metric.documentation,
            )
            for metric in served.registry.collect()
        }
        rows = [(name, *told) for name, told in sorted(found.items())]
        blocks += [f"## {title}", _table(("metric", "type", "counts"), rows)]
    return _page(blocks)


# --- Markdown --------------------------------------------------------------------------


def _page(blocks: Iterable[str]) -> str:
    return "\n\n".join(block.strip() for block in blocks if block.strip()) + "\n"


def _table(head: Sequence[str], rows: Rows) -> str:
    lines = [head, ["---"] * len(head), *([_cell(each) for each in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|")


def _paragraph(text: str) -> str:
    return re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.cleandoc(text.partition("\f")[0]))


def _sentence(text: str) -> str:
    return text if text.endswith((".", ":")) else f"{text}."


REFERENCE: dict[str, Callable[[], str]] = {
    "commands": commands,
    "environment": environment,
    "policy": policy_keys,
    "tables": tables,
    "http": http,
    "python": python,
    "words": words,
    "metrics": metrics,
}

if __name__ == "__main__":
    sys.exit(main())
