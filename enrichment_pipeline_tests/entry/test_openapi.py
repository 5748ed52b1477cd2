"""What the OpenAPI document says is so, whatever is asked, and `/docs` needs no internet."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from enrichment_pipeline.entry.desk import (
    KeyReusedError,
    NotRecordedError,
    StillAnsweringError,
    TakenBack,
)
from enrichment_pipeline.entry.documented import Problem
from enrichment_pipeline.entry.enrichment import Enrichment
from enrichment_pipeline.entry.posted import PostedContact
from enrichment_pipeline.entry.request_limits import EntryLimits
from enrichment_pipeline_tests.entry.over_http import (
    ENRICHED,
    HOOKS,
    QUEUED,
    TOKEN,
    App,
    running_entry,
)
from enrichment_pipeline_tests.properties import draws
from enrichment_pipeline_tests.receiver import PROJECT

OPERATIONS = (
    ("POST", "/v1/contacts"),
    ("GET", "/v1/contacts/{contact_id}"),
    ("DELETE", "/v1/contacts/{contact_id}"),
)


NOT_HELD_TO = [
    ignored_auth,  # takes our token for one that it made up
    not_a_server_error,  # 503 is documented, and 500 is looked for
    positive_data_acceptance,  # what may be told where is the policy's, and in no schema
]
comes_to = st.sampled_from(
    [
        *(ENRICHED, QUEUED, Enrichment(contact_id="", status="suppressed")),
        *(KeyReusedError(), StillAnsweringError(), NotRecordedError()),
    ]
)
taken_back = st.sampled_from([*TakenBack, NotRecordedError()])
found = st.sampled_from([None, ENRICHED, QUEUED])


@pytest.fixture(scope="module")
def app() -> App:
    return App()


@pytest.fixture(scope="module")
def document(app: App) -> dict[str, Any]:
    return app.ask("GET", "/openapi.json", headers={}).json()


@pytest.fixture(scope="module")
def schema(app: App) -> Any:
    loaded = schemathesis.openapi.from_dict(app.asgi.openapi())
    loaded.app = app.asgi
    return loaded


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@draws(few=12, many=300)
@given(data=st.data())
def test_whatever_is_asked_is_answered_as_documented(
    app: App, schema: Any, method: str, path: str, data: st.DataObject
) -> None:
    desk = app.desk
    desk.comes_to, desk.taken_back = data.draw(comes_to), data.draw(taken_back)
    desk.found_always = data.draw(found)
    mode = data.draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
    case = data.draw(schema[path][method].as_strategy(mode))
    if data.draw(st.integers(0, 4)):
        case.headers["Authorization"] = f"Bearer {TOKEN}"
    response = case.call()
    assert response.status_code != 500
    case.validate_response(response, excluded_checks=NOT_HELD_TO)


# --- the document itself ------------------------------------------------------------------------


def examples_in(content: dict[str, Any]) -> Iterator[Any]:
    if "example" in content:
        yield content["example"]
    for example in content.get("examples", {}).values():
        yield example["value"]


def test_each_answer_has_an_example_that_is_one(document: dict[str, Any]) -> None:
    models = {"Enrichment": Enrichment, "Problem": Problem}
    checked = 0
    for item in document["paths"].values():
        for operation in item.values():
            for response in operation["responses"].values():
                assert response["description"]
                for content in response.get("content", {}).values():
                    model = content["schema"].get("$ref", "").rpartition("/")[2]
                    for example in examples_in(content):
                        models[model].model_validate(example)
                        checked += 1
    assert checked > 15


def test_the_examples_of_a_contact_are_taken_and_are_made_up_people(
    app: App, document: dict[str, Any]
) -> None:
    body = document["paths"]["/v1/contacts"]["post"]["requestBody"]
    examples = list(examples_in(body["content"]["application/json"]))
    assert len(examples) == 2
    for example in examples:
        assert app.post(example).status_code in (200, 202)
        assert example.get("email", "@example.com").endswith("@example.com")
        assert example.get("notify_url", HOOKS).removeprefix("https://").startswith(HOOKS)
    assert set(PostedContact.model_fields) == set(
        body["content"]["application/json"]["schema"]["properties"]
    )


def test_each_operation_is_named_described_and_says_who_is_let_in(
    document: dict[str, Any],
) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            assert {"operationId", "summary", "description", "tags"} <= set(operation)
            assert operation.get("security", []) == ([{"token": []}] if "/v1/" in path else [])
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    # nothing is documented that is never answered
    assert set(document["components"]["schemas"]) == {"Enrichment", "FieldValue", "Problem"}


def test_the_documented_page_loads_nothing_from_elsewhere(app: App) -> None:
    page = app.ask("GET", "/docs", headers={})
    assert page.status_code == 200
    assert "://" not in page.text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) == 3
    for path in loaded:
        assert app.ask("GET", path, headers={}).status_code == 200
    assert "'/openapi.json'" in page.text


# --- its page in the documentation --------------------------------------------------------------


@pytest.fixture(scope="module")
def section() -> str:
    page = (PROJECT / "docs" / "entry.md").read_text(encoding="utf-8")
    return page.partition("\n## ")[0]


def test_the_page_tells_each_answer(section: str, document: dict[str, Any]) -> None:
    rows = re.findall(r"^\| ([\d, ]+) \|", section, re.MULTILINE)
    told = {status for row in rows for status in row.split(", ")}
    documented = {
        status
        for path, item in document["paths"].items()
        for operation in item.values()
        for status in operation["responses"]
        if "/v1/" in path
    }
    assert told | {"204"} == documented
    limits = EntryLimits()
    for limit in (f"{limits.body_seconds:g} s", f"{limits.body_bytes // 1024} KiB"):
        assert limit in section


def test_the_pages_lines_of_python_do_as_they_say(
    app: App, section: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines, without_http = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    compile(without_http, "entry.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    monkeypatch.setenv("ENRICHMENT_API_TOKENS", TOKEN)
    app.desk.forget()
    app.desk.found["lead-17"] = ENRICHED
    with running_entry(app) as entry:
        names: dict[str, Any] = {}
        exec(lines.replace("http://127.0.0.1:8090", entry.url), names)
    assert names["enriched"]["fields"]["work_email"]["value"] == "ada@example.com"
    (entered,) = app.desk.entered
    assert (entered.contact.id, entered.request and entered.request.key) == ("lead-17",) * 2
