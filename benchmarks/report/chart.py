"""Charts as inline SVG: legible on a phone, readable without a script, with a tooltip on every point.

Colours come from CSS classes (`series-0` ...), so that one drawing serves light and dark.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 400, 300
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 40
LABEL_HEIGHT, LETTER = 12, 5.6  # of 10 px type, in the drawing's units


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
    """A scale from values to the drawing. `low` and `high` are values; `scale` divides the numbers written at the ticks."""

    label: str
    low: float
    high: float
    log: bool = False
    scale: float = 1.0

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
        else:
            step = _round_step((high - low) / 5)
            values = [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
        return [(v * self.scale, f"{v:.6g}") for v in values if low <= v <= high]


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= step * 0.999)


def _place(x: Axis, y: Axis, point: tuple[float, float]) -> tuple[float, float]:
    return LEFT + x.fraction(point[0]) * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y.fraction(point[1]) * (HEIGHT - TOP - BOTTOM)


def scatter(title: str, x: Axis, y: Axis, marks: Sequence[Mark], fronts: Sequence[Sequence[Mark]]) -> str:
    """Points with the fronts joined as steps, since what lies between two points is not to be had."""
    drawing = _frame(x, y)
    for joined in fronts:
        drawing.append(f'<path class="front" d="{_staircase([_place(x, y, (m.x, m.y)) for m in sorted(joined, key=lambda m: m.x)])}"/>')
    spots = [_place(x, y, (mark.x, mark.y)) for mark in marks]
    taken = [(px - 5, py - 5, px + 5, py + 5) for px, py in spots]
    for mark, (px, py) in sorted(zip(marks, spots, strict=True), key=lambda pair: not pair[0].dominated):
        drawing.append(_shape(mark, px, py))
    drawing += [_label(mark.label, px, py, taken) for mark, (px, py) in zip(marks, spots, strict=True) if mark.label]
    return _svg(title, drawing)


def lines(title: str, x: Axis, y: Axis, series: Sequence[Sequence[Mark]], dashed: Sequence[bool] = ()) -> str:
    """One line for each series through its points; a label stands where a mark has one."""
    drawing = _frame(x, y)
    taken: list[tuple[float, float, float, float]] = []
    for i, marks in enumerate(series):
        spots = [_place(x, y, (mark.x, mark.y)) for mark in marks]
        path = " L".join(f"{px:.1f} {py:.1f}" for px, py in spots)
        style = " dashed" if i < len(dashed) and dashed[i] else ""
        drawing.append(f'<path class="line series-{marks[0].series}{style}" d="M{path}"/>')
        drawing += [_shape(mark, px, py, 2.6) for mark, (px, py) in zip(marks, spots, strict=True)]
        drawing += [_label(mark.label, px, py, taken) for mark, (px, py) in zip(marks, spots, strict=True) if mark.label]
    return _svg(title, drawing)


def shape(mark: Mark) -> str:
    """A point alone, for a legend."""
    return f'<svg class="key" viewBox="-8 -8 16 16" aria-hidden="true">{_shape(mark, 0, 0, tip=False)}</svg>'


def _svg(title: str, drawing: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(drawing)}</svg>'


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
    return f'<g class="{classes}" transform="translate({px:.1f} {py:.1f})"{told}>{inner}</g>'


def _label(text: str, px: float, py: float, taken: list[tuple[float, float, float, float]]) -> str:
    """The label at the first free place around its point; it is written anyway where none is free."""
    width = len(text) * LETTER
    places = [(px + 8, py + 3.5), (px - 8 - width, py + 3.5), (px - width / 2, py - 9), (px - width / 2, py + 16)]
    places += [(px + 6, py - 8), (px + 6, py + 15), (px - 6 - width, py - 8), (px - 6 - width, py + 15)]
    places += [(px - width / 2, py + side * step) for step in (26, 38) for side in (-1, 1)]
    boxes = [(lx, ly - LABEL_HEIGHT + 3, lx + width, ly + 3) for lx, ly in places]
    inside = [box for box in boxes if box[0] > LEFT and box[2] < WIDTH and box[1] > 0 and box[3] < HEIGHT - BOTTOM]
    free = [box for box in inside if not any(_overlap(box, other) for other in taken)]
    box = (free or inside or boxes)[0]
    taken.append(box)
    return f'<text class="label" x="{box[0]:.1f}" y="{box[3] - 3:.1f}">{escape(text)}</text>'


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
