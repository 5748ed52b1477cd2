"""Charts: whole SVGs by themselves, to scale, with everything escaped."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from markupsafe import Markup

from enrichment_pipeline.report.charts import Series, bars, columns, number

SVG = "{http://www.w3.org/2000/svg}"
RED, BLUE = Series("red", "bad", [1, 3]), Series("blue", "good", [1, 1])


def parsed(svg: Markup) -> ET.Element:
    root = ET.fromstring(str(svg))
    assert root.tag == f"{SVG}svg"
    return root


def blocks(svg: Markup) -> list[tuple[str, float, float]]:
    """What each rectangle says, its width and its height."""
    return [
        (title.text or "", float(rect.attrib["width"]), float(rect.attrib["height"]))
        for rect in parsed(svg).iter(f"{SVG}rect")
        if (title := rect.find(f"{SVG}title")) is not None
    ]


def texts(svg: Markup) -> list[str]:
    return [text.text or "" for text in parsed(svg).iter(f"{SVG}text")]


def test_bars_are_as_long_as_their_values() -> None:
    chart = bars("Title", ["a", "b"], [RED, BLUE])
    widths = {says: width for says, width, _ in blocks(chart)}
    assert widths["b: 3 red"] == pytest.approx(3 * widths["a: 1 red"], abs=0.2)
    assert widths["a: 1 blue"] == widths["a: 1 red"]
    assert {"a", "b", "2", "4", "red", "blue"} <= set(texts(chart))


def test_columns_are_as_high_as_their_values() -> None:
    heights = {says: height for says, _, height in blocks(columns("T", ["a", "b"], [RED, BLUE]))}
    assert heights["b: 3 red"] == pytest.approx(3 * heights["a: 1 red"], abs=0.2)


def test_everything_stays_inside_the_picture() -> None:
    values = Series("x", "good", [987_654.3] * 40)
    labels = [str(number) for number in range(40)]
    for chart in (bars("T", labels, [values]), columns("T", labels, [values], limit=1_500_000)):
        root = parsed(chart)
        width, height = float(root.attrib["width"]), float(root.attrib["height"])
        for rect in root.iter(f"{SVG}rect"):
            box = {name: float(rect.attrib[name]) for name in ("x", "y", "width", "height")}
            assert box["x"] >= 0
            assert box["y"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["y"] + box["height"] <= height


def test_a_limit_is_drawn_where_it_is_near_and_left_out_where_it_would_dwarf_the_columns() -> None:
    def limits(limit: float) -> int:
        chart = columns("T", ["a"], [Series("x", "good", [10])], limit=limit, limit_name="cap")
        lines = parsed(chart).iter(f"{SVG}line")
        return len([line for line in lines if line.attrib["class"] == "limit"])

    assert (limits(12), limits(20_000)) == (1, 0)


def test_labels_of_many_columns_do_not_touch() -> None:
    labels = [f"label {number}" for number in range(30)]
    shown = texts(columns("T", labels, [Series("x", "good", [1] * 30)]))
    assert 5 <= len([text for text in shown if text.startswith("label")]) <= 9


@pytest.mark.parametrize("values", [[], [0, 0]])
def test_without_a_value_a_chart_says_so(values: list[float]) -> None:
    labels = [str(value) for value in values]
    for draw in (bars, columns):
        assert texts(draw("T", labels, [Series("x", "good", values)])) == ["nothing yet"]
        assert texts(draw("T", labels, [])) == ["nothing yet"]


@pytest.mark.parametrize("highest", [0.4, 1, 7, 23, 999, 1_000, 123_456])
def test_the_scale_reaches_the_highest_column_in_round_steps(highest: float) -> None:
    shown = texts(columns("T", ["a"], [Series("x", "good", [highest])]))
    ticks = [float(text.replace(",", "")) for text in shown if text != "a"]
    assert ticks[0] == 0
    assert highest <= ticks[-1] <= 2 * highest
    assert 3 <= len(ticks) <= 6


def test_what_is_put_in_is_escaped() -> None:
    hostile = '"><script>alert(1)</script>'
    chart = bars(hostile, [hostile], [Series(hostile, "good", [1]), Series("b", "bad", [1])])
    assert "<script" not in chart
    assert hostile in texts(chart)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.5, "0.5"), (9.96, "10.0"), (12.4, "12"), (12480, "12,480")]
)
def test_numbers_read_as_people_write_them(value: float, text: str) -> None:
    assert number(value) == text
