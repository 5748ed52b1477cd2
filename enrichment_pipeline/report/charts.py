"""Two kinds of chart as SVG: bars that lie, one below the other, and columns that stand in time.

Here: scales and places, and nothing about contacts. Not here: what is shown
(`pictures.py`), and how it looks (`templates/chart.svg`). An SVG brings its own
colours, for light and for dark, so that it can stand in a page or as an image alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

WIDTH = 720
LABELS_WIDTH = 190
VALUES_WIDTH = 70
BAR_HEIGHT, BAR_STEP = 20, 32
COLUMNS_HEIGHT, AXIS_WIDTH, FOOT_HEIGHT, HEAD_HEIGHT = 200, 56, 26, 16
LEGEND_HEIGHT = 30
MOST_LABELS = 9
"""So many fit below a chart of columns without touching."""


@dataclass(frozen=True)
class Series:
    """Values of one colour, one for each label; `tone` names the colour in the template."""

    name: str
    tone: str
    values: Sequence[float]


@dataclass(frozen=True)
class Block:
    """A rectangle and what it says to whoever points at it."""

    x: float
    y: float
    width: float
    height: float
    tone: str
    says: str


@dataclass(frozen=True)
class Text:
    x: float
    y: float
    text: str
    anchor: str = "start"
    tone: str = "ink"


@dataclass(frozen=True)
class Rule:
    """A level line across a chart of columns."""

    y: float
    is_limit: bool = False


@cache
def templates() -> Environment:
    """The package's templates; whatever is put into one is escaped."""
    return Environment(
        loader=PackageLoader("enrichment_pipeline.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def bars(title: str, labels: Sequence[str], series: Sequence[Series]) -> Markup:
    """A bar for each label, of the values of all series one after another; totals at the end."""
    totals = _totals(labels, series)
    longest = max(totals, default=0)
    if not longest:
        return _nothing(title)
    top = _legend_height(series)
    scale = (WIDTH - LABELS_WIDTH - VALUES_WIDTH) / longest
    blocks, texts = [], []
    for index, (label, total) in enumerate(zip(labels, totals, strict=True)):
        x, y = float(LABELS_WIDTH), top + index * BAR_STEP + (BAR_STEP - BAR_HEIGHT) / 2
        middle = y + BAR_HEIGHT / 2 + 4.5
        texts.append(Text(LABELS_WIDTH - 10, middle, label, "end"))
        for one in series:
            width = one.values[index] * scale
            if width:
                says = _says(label, one, index)
                blocks.append(Block(x, y, width, BAR_HEIGHT, one.tone, says))
            x += width
        texts.append(Text(x + 8, middle, number(total), tone="muted"))
    return _chart(title, top + len(labels) * BAR_STEP, series, blocks, texts)


def columns(
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    limit: float | None = None,
    limit_name: str = "",
) -> Markup:
    """A column for each label, of the values of all series on top of each other.

    `limit` is a level line, which is left out where it lies far above every column.
    """
    highest = max(_totals(labels, series), default=0)
    if not highest:
        return _nothing(title)
    has_limit = limit is not None and limit <= 2.5 * highest
    ticks = _ticks(max(highest, limit if has_limit and limit is not None else 0))
    top = _legend_height(series) + HEAD_HEIGHT
    bottom = top + COLUMNS_HEIGHT
    scale = COLUMNS_HEIGHT / ticks[-1]
    step = (WIDTH - AXIS_WIDTH) / len(labels)
    width = min(step * 0.72, 44)
    blocks, texts = [], []
    rules = [Rule(bottom - tick * scale) for tick in ticks]
    texts += [
        Text(AXIS_WIDTH - 8, rule.y + 4, number(tick), "end", "muted")
        for rule, tick in zip(rules, ticks, strict=True)
    ]
    if has_limit and limit is not None:
        rules.append(Rule(bottom - limit * scale, is_limit=True))
        texts.append(Text(WIDTH - 4, rules[-1].y - 5, limit_name, "end", "muted"))
    every = math.ceil(len(labels) / MOST_LABELS)
    for index, label in enumerate(labels):
        middle, y = AXIS_WIDTH + (index + 0.5) * step, float(bottom)
        for one in series:
            height = one.values[index] * scale
            y -= height
            if height:
                says = _says(label, one, index)
                blocks.append(Block(middle - width / 2, y, width, height, one.tone, says))
        if index % every == 0:
            texts.append(Text(middle, bottom + 18, label, "middle", "muted"))
    return _chart(title, bottom + FOOT_HEIGHT, series, blocks, texts, rules)


def number(value: float) -> str:
    """Such as 12,480 or 0.5."""
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 10 else f"{value:,.1f}"


def _chart(
    title: str,
    height: float,
    series: Sequence[Series],
    blocks: Sequence[Block],
    texts: Sequence[Text],
    rules: Sequence[Rule] = (),
) -> Markup:
    svg = templates().get_template("chart.svg")
    legend = series if len(series) > 1 else ()
    return Markup(  # noqa: S704 - the template has escaped what it was given
        svg.render(
            title=title,
            width=WIDTH,
            height=height,
            blocks=blocks,
            texts=texts,
            rules=rules,
            left=AXIS_WIDTH,
            legend=legend,
        )
    )


def _nothing(title: str) -> Markup:
    return _chart(title, 60, (), (), [Text(WIDTH / 2, 35, "nothing yet", "middle", "muted")])


def _legend_height(series: Sequence[Series]) -> int:
    return LEGEND_HEIGHT if len(series) > 1 else 0


def _totals(labels: Sequence[str], series: Sequence[Series]) -> list[float]:
    return [sum(one.values[index] for one in series) for index in range(len(labels))]


def _says(label: str, series: Series, index: int) -> str:
    return f"{label}: {number(series.values[index])} {series.name}"


def _ticks(highest: float) -> list[float]:
    """Round numbers from 0 up to the first one that is not below the highest value."""
    rough = highest / 4
    magnitude = 10 ** math.floor(math.log10(rough))
    step = next(each * magnitude for each in (1, 2, 2.5, 5, 10) if each * magnitude >= rough)
    return [step * count for count in range(math.ceil(highest / step) + 1)]
