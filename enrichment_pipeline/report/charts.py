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

BAR_HEIGHT, BAR_STEP = 20, 32
COLUMNS_HEIGHT, AXIS_WIDTH, FOOT_HEIGHT, HEAD_HEIGHT = 200, 56, 44, 34
BARS_HEAD_HEIGHT = 24
LEGEND_STEP, LEGEND_LINE = 150, 22
"""A series in the legend is so wide, and a line of it so high."""


@dataclass(frozen=True)
class Layout:
    """How wide a chart is drawn: letters have one size, so a small screen has a picture of its own.

    `most_labels` fit below a chart of columns without touching.
    """

    width: int
    labels_width: int
    values_width: int
    most_labels: int


WIDE = Layout(width=720, labels_width=190, values_width=70, most_labels=9)
NARROW = Layout(width=330, labels_width=150, values_width=52, most_labels=4)


@dataclass(frozen=True)
class Series:
    """Values of one colour, one for each label; `tone` names the colour in the template."""

    name: str
    tone: str
    values: Sequence[float]


@dataclass(frozen=True)
class Block:
    """A rectangle, and what is shown when it is pointed at."""

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


def bars(
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    unit: str = "",
    layout: Layout = WIDE,
) -> Markup:
    """A bar for each label, of the values of all series one after another; totals at the end.

    `unit` is what the totals count.
    """
    totals = _totals(labels, series)
    longest = max(totals, default=0)
    if not longest:
        return _nothing(title, layout)
    top = _legend_height(series, layout) + BARS_HEAD_HEIGHT
    scale = (layout.width - layout.labels_width - layout.values_width) / longest
    blocks, texts = [], [Text(layout.width, top - 8, unit, "end", "muted")]
    for index, (label, total) in enumerate(zip(labels, totals, strict=True)):
        x, y = float(layout.labels_width), top + index * BAR_STEP + (BAR_STEP - BAR_HEIGHT) / 2
        middle = y + BAR_HEIGHT / 2 + 4.5
        texts.append(Text(layout.labels_width - 10, middle, label, "end"))
        for one in series:
            width = one.values[index] * scale
            if width:
                says = _says(label, one, index)
                blocks.append(Block(x, y, width, BAR_HEIGHT, one.tone, says))
            x += width
        texts.append(Text(layout.width, middle, number(total), "end", "muted"))
    return _chart(title, top + len(labels) * BAR_STEP, series, blocks, texts, layout=layout)


def columns(
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    unit: str = "",
    below: str = "",
    limit: float | None = None,
    limit_name: str = "",
    layout: Layout = WIDE,
) -> Markup:
    """A column for each label, of the values of all series on top of each other.

    `unit` is what the columns count, `below` what the labels are. `limit` is a level line,
    which is left out where it lies far above every column.
    """
    highest = max(_totals(labels, series), default=0)
    if not highest:
        return _nothing(title, layout)
    has_limit = limit is not None and limit <= 2.5 * highest
    ticks = _ticks(max(highest, limit if has_limit and limit is not None else 0))
    top = _legend_height(series, layout) + HEAD_HEIGHT
    bottom = top + COLUMNS_HEIGHT
    scale = COLUMNS_HEIGHT / ticks[-1]
    step = (layout.width - AXIS_WIDTH) / len(labels)
    width = min(step * 0.72, 44)
    blocks = []
    texts = [
        Text(0, top - 18, unit, "start", "muted"),
        Text(layout.width, bottom + FOOT_HEIGHT - 6, below, "end", "muted"),
    ]
    rules = [Rule(bottom - tick * scale) for tick in ticks]
    texts += [
        Text(AXIS_WIDTH - 8, rule.y + 4, number(tick), "end", "muted")
        for rule, tick in zip(rules, ticks, strict=True)
    ]
    if has_limit and limit is not None:
        rules.append(Rule(bottom - limit * scale, is_limit=True))
        texts.append(Text(layout.width - 4, rules[-1].y - 5, limit_name, "end", "muted"))
    every = math.ceil(len(labels) / layout.most_labels)
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
    return _chart(title, bottom + FOOT_HEIGHT, series, blocks, texts, rules, layout=layout)


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
    *,
    layout: Layout,
) -> Markup:
    svg = templates().get_template("chart.svg")
    legend = series if len(series) > 1 else ()
    in_line = _in_line(layout)
    return Markup(  # noqa: S704 - the template has escaped what it was given
        svg.render(
            title=title,
            width=layout.width,
            height=height,
            blocks=blocks,
            texts=[text for text in texts if text.text],
            rules=rules,
            left=AXIS_WIDTH,
            legend=[
                (one, index % in_line * LEGEND_STEP, index // in_line * LEGEND_LINE)
                for index, one in enumerate(legend)
            ],
        )
    )


def _nothing(title: str, layout: Layout) -> Markup:
    says = Text(layout.width / 2, 35, "nothing yet", "middle", "muted")
    return _chart(title, 60, (), (), [says], layout=layout)


def _in_line(layout: Layout) -> int:
    return layout.width // LEGEND_STEP


def _legend_height(series: Sequence[Series], layout: Layout) -> int:
    return math.ceil(len(series) / _in_line(layout)) * LEGEND_LINE if len(series) > 1 else 0


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
