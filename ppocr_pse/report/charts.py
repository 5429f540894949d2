"""Line charts as SVG text: no library, no script; colours and dashes come from the style sheet of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

from ppocr_pse.metrics.curves import Curve

FloatArray = npt.NDArray[np.float64]
WIDTH, HEIGHT = 520, 400
LEFT, RIGHT, TOP, BOTTOM = 48, 14, 12, 44


@dataclass(frozen=True)
class Series:
    """One line: its CSS class, its name beside its end, and points, float64 (N,) each, 0 to 1."""

    css: str
    name: str
    x: FloatArray
    y: FloatArray


@dataclass(frozen=True)
class Mark:
    """A point that is named: its CSS class, its text, where it is (0 to 1 on both axes), and the side of the text."""

    css: str
    text: str
    x: float
    y: float
    above: bool = False


def _place(x: float, y: float) -> tuple[float, float]:
    return LEFT + x * (WIDTH - LEFT - RIGHT), TOP + (1.0 - y) * (HEIGHT - TOP - BOTTOM)


def _path(x: FloatArray, y: FloatArray) -> str:
    """Path data; points that would fall on the pixel of the one before are left out."""
    steps: list[str] = []
    last = ""
    for a, b in zip(x.tolist(), y.tolist()):
        px, py = _place(a, b)
        step = f"{px:.1f} {py:.1f}"
        if step != last:
            steps.append(step)
        last = step
    return "M" + "L".join(steps)


def line_chart(
    label: str,
    x_label: str,
    y_label: str,
    series: Sequence[Series],
    marks: Sequence[Mark] = (),
    background: Sequence[Series] = (),
    verticals: Sequence[Mark] = (),
) -> str:
    """Draw lines over [0, 1] x [0, 1].

    Args:
        label: what is shown, for people who cannot see it.
        x_label: under the horizontal axis.
        y_label: beside the vertical axis.
        series: the lines.
        marks: points with a name.
        background: pale lines behind, named at their last point.
        verticals: vertical lines at ``x``, named.

    Returns:
        An ``<svg>`` element.
    """
    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">']
    for tick in np.linspace(0.0, 1.0, 6).tolist():
        x0, y0 = _place(tick, tick)
        parts.append(f'<path class="grid" d="M{x0:.1f} {TOP}V{HEIGHT - BOTTOM}M{LEFT} {y0:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(
            f'<text class="tick" x="{x0:.1f}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle">{tick:.1f}</text>'
        )
        parts.append(f'<text class="tick" x="{LEFT - 8}" y="{y0 + 4:.1f}" text-anchor="end">{tick:.1f}</text>')
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(
        f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_label)}'
        f'</text><text class="axis" transform="translate(13 {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_label)}</text>"
    )
    for line in background:
        x0, y0 = _place(float(line.x[-1]), float(line.y[-1]))
        parts.append(f'<path class="line {line.css}" d="{_path(line.x, line.y)}"/>')
        parts.append(
            f'<text class="faint" x="{x0 - 3:.1f}" y="{y0 - 4:.1f}" text-anchor="end">{escape(line.name)}</text>'
        )
    for mark in verticals:
        x0, y0 = _place(mark.x, mark.y)
        side = "end" if mark.x > 0.7 else "start"
        shift = -5 if side == "end" else 5
        parts.append(f'<path class="line {mark.css}" d="M{x0:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        parts.append(
            f'<text class="note" x="{x0 + shift:.1f}" y="{y0:.1f}" text-anchor="{side}">{escape(mark.text)}</text>'
        )
    parts.extend(f'<path class="line {line.css}" d="{_path(line.x, line.y)}"/>' for line in series if len(line.x))
    for mark in marks:
        x0, y0 = _place(mark.x, mark.y)
        side, shift = ("start", 9) if (mark.above and mark.x < 0.7) or mark.x < 0.35 else ("end", -9)
        parts.append(f'<circle class="dot {mark.css}" cx="{x0:.1f}" cy="{y0:.1f}" r="5"/>')
        y1 = y0 + (-8 if mark.above else 17)
        parts.append(
            f'<text class="note halo" x="{x0 + shift:.1f}" y="{y1:.1f}" text-anchor="{side}">{escape(mark.text)}</text>'
        )
    return "".join([*parts, "</svg>"])


def precision_recall_chart(curve: Curve, operating: tuple[float, float]) -> str:
    """Precision over recall with lines of equal hmean behind, the operating point and the best one.

    Args:
        curve: scores at every threshold.
        operating: (recall, precision) of the evaluation.
    """
    levels = []
    for level in (0.2, 0.4, 0.6, 0.8):
        x = np.linspace(level / (2.0 - level), 1.0, 60)
        levels.append(Series("s-level", f"hmean {level:.1f}", x, level * x / (2.0 * x - level)))
    best = curve.best()
    marks = [Mark("s-here", "this evaluation", *operating)]
    point = (float(curve.recall[best]), float(curve.precision[best]))
    if max(abs(point[0] - operating[0]), abs(point[1] - operating[1])) > 0.004:
        marks.append(Mark("s-best", f"best hmean, at {curve.thresholds[best]:.2f}", *point, above=True))
    kept = np.array([counts.detections > 0 for counts in curve.counts], np.bool_)
    line = Series("s-hmean", "", curve.recall[kept], curve.precision[kept])
    return line_chart("precision over recall", "recall", "precision", [line], marks, levels)


def threshold_chart(curve: Curve, threshold: float | None) -> str:
    """Precision, recall and hmean over the score threshold.

    Args:
        curve: scores at every threshold.
        threshold: of the evaluation, or None when it is not known.
    """
    lines = [
        Series(f"s-{name}", name, curve.thresholds, getattr(curve, name)) for name in ("precision", "recall", "hmean")
    ]
    verticals = [] if threshold is None else [Mark("s-here", f"this evaluation, {threshold:g}", threshold, 0.03)]
    best = curve.best()
    where = float(curve.thresholds[best])
    marks = [Mark("s-best", "", where, float(curve.hmean[best]))]
    return line_chart(
        "precision, recall and hmean over the score threshold", "score threshold", "", lines, marks, (), verticals
    )
