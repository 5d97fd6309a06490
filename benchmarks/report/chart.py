"""Charts as inline SVG: legible on a phone, readable without a script, with a tooltip on every point.

Colours come from CSS classes (`series-0` ...), so that one drawing serves light and dark.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

WIDTH, HEIGHT = 350, 290
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 10, 38
LABEL_HEIGHT, LETTER = 12, 5.6  # of 10 px type, in the drawing's units

Box = tuple[float, float, float, float]  # left, low, right, high in the units of the drawing


@dataclass(frozen=True)
class Mark:
    """One point. `label` is written beside it (front points), `tip` shows when it is pointed at; `series` picks its colour."""

    x: float
    y: float
    tip: str
    series: int
    mark: str = "circle"
    label: str = ""
    dominated: bool = False
    hollow: bool = False


@dataclass(frozen=True)
class Axis:
    """A scale from values to the drawing. `low` and `high` are values; `scale` divides the numbers written at the ticks; there are none beyond `last`."""

    label: str
    low: float
    high: float
    log: bool = False
    scale: float = 1.0
    last: float = math.inf

    @classmethod
    def labelled(cls, label: str, low: float, last: float, words: Sequence[str]) -> "Axis":
        """An axis for `lines`, with room right of `last` for the labels that stand there."""
        room = (12 + LETTER * max(map(len, words))) / (WIDTH - LEFT - RIGHT)
        return cls(label, low, low + (last - low) / (1 - room), last=last)

    @classmethod
    def around(cls, label: str, values: Sequence[float], log: bool = False, scale: float = 1.0) -> "Axis":
        """An axis with room around its values; logarithmic only where all are positive."""
        low, high = min(values), max(values)
        if log and low > 0:
            room = max(1.15, (high / low) ** 0.08)
            return cls(label, low / room, high * room, True, scale)
        room = (high - low) * 0.12 or abs(high) * 0.1 or 1.0
        return cls(label, low - room, high + room, False, scale)

    def fraction(self, value: float) -> float:
        """Where a value lies, 0 at the low end and 1 at the high one."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[tuple[float, str]]:
        """Round values within the axis and how they are written: 1, 2, 5 times powers of ten."""
        low, high = self.low / self.scale, self.high / self.scale
        if self.log:
            exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
            steps = (1,) if high / low > 200 else (1, 2, 5) if high / low > 4 else (1, 1.5, 2, 3, 4, 5, 6, 8)
            values = [m * 10.0**e for e in exponents for m in steps]
        if not self.log or sum(low <= v <= high for v in values) < 2:
            step = _round_step((high - low) / 7)
            values = [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
        return [(v * self.scale, f"{v:.6g}") for v in values if low <= v <= min(high, self.last)]


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= step * 0.999)


def _place(x: Axis, y: Axis, point: tuple[float, float]) -> tuple[float, float]:
    return LEFT + x.fraction(point[0]) * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y.fraction(point[1]) * (HEIGHT - TOP - BOTTOM)


def scatter(title: str, x: Axis, y: Axis, marks: Sequence[Mark], fronts: Sequence[Sequence[Mark]]) -> str:
    """Points with the fronts joined as steps, since what lies between two points is not to be had."""
    drawing = _frame(x, y)
    spots = [_place(x, y, (mark.x, mark.y)) for mark in marks]
    taken = [(px - 5, py - 5, px + 5, py + 5) for px, py in spots]
    for joined in fronts:
        steps = [_place(x, y, (m.x, m.y)) for m in sorted(joined, key=lambda m: m.x)]
        drawing.append(f'<path class="front" d="{_staircase(steps)}"/>')
        taken += [(a - 1, b - 1, c + 1, d + 1) for a, b, c, d in staircase_boxes(steps)]
    for mark, (px, py) in sorted(zip(marks, spots, strict=True), key=lambda pair: not pair[0].dominated):
        drawing.append(_shape(mark, px, py))
    drawing += [_label(mark.label, px, py, taken) for mark, (px, py) in zip(marks, spots, strict=True) if mark.label]
    return _svg(title, drawing)


def lines(title: str, x: Axis, y: Axis, series: Sequence[Sequence[Mark]], dashed: Sequence[bool] = ()) -> str:
    """One line for each series through its points; the labels stand right of the last ones, one below the other."""
    drawing = _frame(x, y)
    ends: list[tuple[float, float, str]] = []
    for i, marks in enumerate(series):
        spots = [_place(x, y, (mark.x, mark.y)) for mark in marks]
        path = " L".join(f"{px:.1f} {py:.1f}" for px, py in spots)
        style = " dashed" if i < len(dashed) and dashed[i] else ""
        drawing.append(f'<path class="line series-{marks[0].series}{style}" d="M{path}"/>')
        drawing += [_shape(mark, px, py, 2.6) for mark, (px, py) in zip(marks, spots, strict=True)]
        ends += [(py, px, mark.label) for mark, (px, py) in zip(marks, spots, strict=True) if mark.label]
    lowest = 0.0
    for py, px, text in sorted(ends):
        lowest = max(py + 3.5, lowest + LABEL_HEIGHT)
        drawing.append(f'<text class="label" x="{px + 7:.1f}" y="{lowest:.1f}">{escape(text)}</text>')
    return _svg(title, drawing)


def shape(mark: Mark) -> str:
    """A point alone, for a legend."""
    return f'<svg class="key" viewBox="-8 -8 16 16" aria-hidden="true">{_shape(mark, 0, 0, tip=False)}</svg>'


def _svg(title: str, drawing: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="group" aria-label="{escape(title)}">{"".join(drawing)}</svg>'


def _frame(x: Axis, y: Axis) -> list[str]:
    drawing, floor, right = [], HEIGHT - BOTTOM, WIDTH - RIGHT
    for value, text in x.ticks():
        px, _ = _place(x, y, (value, y.low))
        drawing.append(f'<path class="grid" d="M{px:.1f} {TOP}V{floor}"/><text class="tick" x="{px:.1f}" y="{floor + 14}" text-anchor="middle">{text}</text>')
    for value, text in y.ticks():
        _, py = _place(x, y, (x.low, value))
        drawing.append(f'<path class="grid" d="M{LEFT} {py:.1f}H{right}"/><text class="tick" x="{LEFT - 6}" y="{py + 3.5:.1f}" text-anchor="end">{text}</text>')
    middle = (TOP + floor) / 2
    drawing.append(f'<path class="axis" d="M{LEFT} {TOP}V{floor}H{right}"/>')
    drawing.append(f'<text class="title" x="{(LEFT + right) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x.label)}</text>')
    drawing.append(f'<text class="title" transform="translate(11 {middle}) rotate(-90)" text-anchor="middle">{escape(y.label)}</text>')
    return drawing


def _staircase(spots: Sequence[tuple[float, float]]) -> str:
    start, *rest = spots
    return f"M{start[0]:.1f} {start[1]:.1f}" + "".join(f"H{px:.1f}V{py:.1f}" for px, py in rest)


def staircase_boxes(spots: Sequence[tuple[float, float]]) -> list[Box]:
    """The segments of a front's line as boxes without area, for labels to keep off: points in the order of their cost."""
    corners = [(b[0], a[1]) for a, b in pairwise(spots)]
    pairs = [*zip(spots, corners, strict=False), *zip(corners, spots[1:], strict=True)]
    return [(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])) for a, b in pairs]


def _shape(mark: Mark, px: float, py: float, r: float = 5.0, tip: bool = True) -> str:
    paths = {
        "square": f"M{-r * 0.9:.1f} {-r * 0.9:.1f}h{r * 1.8:.1f}v{r * 1.8:.1f}h{-r * 1.8:.1f}z",
        "diamond": f"M0 {-r * 1.25:.1f}L{r * 1.25:.1f} 0L0 {r * 1.25:.1f}L{-r * 1.25:.1f} 0z",
        "triangle": f"M0 {-r * 1.15:.1f}L{r * 1.1:.1f} {r * 0.9:.1f}H{-r * 1.1:.1f}z",
        "down": f"M0 {r * 1.15:.1f}L{r * 1.1:.1f} {-r * 0.9:.1f}H{-r * 1.1:.1f}z",
        "cross": f"M{-r:.1f} {-r:.1f}L{r:.1f} {r:.1f}M{r:.1f} {-r:.1f}L{-r:.1f} {r:.1f}",
    }
    inner = f'<path d="{paths[mark.mark]}"/>' if mark.mark in paths else f'<circle r="{r}"/>'
    classes = f"point series-{mark.series} {mark.mark}{' dominated' if mark.dominated else ''}{' hollow' if mark.hollow else ''}"
    words = escape(mark.tip)
    told = f' tabindex="0" role="img" aria-label="{words}" data-tip="{words}"' if tip else ""
    return f'<g class="{classes}" transform="translate({px:.1f} {py:.1f})"{told}>{f"<title>{words}</title>" if tip else ""}{inner}</g>'


def _label(text: str, px: float, py: float, taken: list[Box]) -> str:
    """The label where it covers least of what is there, the nearest such place around its point."""
    width = len(text) * LETTER
    places = [(px + 8, py + 3.5), (px - 8 - width, py + 3.5)]
    places += [(lx, py + dy) for dy in (-9, 16, -22, 29, -35, 42) for lx in (px - width / 2, px - 4, px + 4 - width)]
    boxes = [(lx, ly - LABEL_HEIGHT + 3, lx + width, ly + 3) for lx, ly in places]
    inside = [box for box in boxes if box[0] > LEFT and box[2] < WIDTH and box[1] > 0 and box[3] < HEIGHT - BOTTOM]
    box = min(inside or boxes, key=lambda box: sum(_shared(box, other) for other in taken))
    taken.append(box)
    return f'<text class="label" x="{box[0]:.1f}" y="{box[3] - 3:.1f}">{escape(text)}</text>'


def _shared(a: Box, b: Box) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def overlap(a: Box, b: Box) -> bool:
    """Whether two boxes share some area."""
    return _shared(a, b) > 0
