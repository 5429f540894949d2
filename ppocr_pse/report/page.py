"""The page: one HTML text with its style, script, charts and pictures inside, which needs no network."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources

from ppocr_pse.metrics.breakdown import MEASURES, Bin, PictureRow
from ppocr_pse.report.charts import precision_recall_chart, threshold_chart
from ppocr_pse.report.collect import Report
from ppocr_pse.report.exhibits import gallery_section
from ppocr_pse.report.style import kind_rules


def render_page(report: Report) -> str:
    """Write the whole page.

    Args:
        report: what to show.

    Returns:
        HTML, to be encoded as UTF-8. All names and texts are escaped.
    """
    files = resources.files("ppocr_pse.report")
    style, script = (files.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    facts = report.facts
    body = "\n".join(
        [
            f"<h1>{escape(facts.title)}</h1>",
            f'<p class="lead">{_plural(len(report.rows), "picture")}, scored by the protocol '
            f"<code>{escape(facts.protocol)}</code></p>",
            _faults(facts.faults),
            _tiles(report),
            _curves(report),
            "<h2>By kind of text</h2>",
            "<p>A text belongs to the row of its own value; a detection that matched, to the row of its text, any "
            "other to the row of its own value. So the rows of a table add up to the whole.</p>",
            '<div class="breaks">',
            *(_breakdown(name, rows) for name, rows in report.breakdowns.items()),
            "</div>",
            _time(report),
            gallery_section(report.gallery, sum(1 for row in report.rows if row.misses or row.false_alarms)),
            _pictures(report),
            "<h2>Settings</h2>",
            '<div class="pair">',
            _facts("Evaluation", facts.settings),
            _facts("Machine", facts.machine),
            "</div>",
            f"<details><summary>The whole configuration</summary><pre>{escape(facts.config)}</pre></details>"
            if facts.config
            else "",
        ]
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(facts.title)}</title>\n'
        f"<style>\n{style}{kind_rules()}\n</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n"
        f"<script>\n{script}</script>\n</body>\n</html>\n"
    )


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _percent(value: float) -> str:
    return f"{100.0 * value:.2f}&thinsp;%"


def _faults(faults: Sequence[str]) -> str:
    if not faults:
        return ""
    items = "".join(f"<li>{escape(fault)}</li>" for fault in faults)
    return (
        f'<details class="faults" open><summary>{_plural(len(faults), "picture or label")} could not be used</summary>'
        f"<ul>{items}</ul></details>"
    )


def _tiles(report: Report) -> str:
    counts = report.counts
    large = [(_percent(counts.hmean), "hmean"), (_percent(counts.precision), "precision")]
    large.append((_percent(counts.recall), "recall"))
    if report.average_precision is not None:
        large.append((_percent(report.average_precision), "average precision"))
    rows = report.rows
    small = [
        (counts.truths, "texts that count"),
        (sum(row.hits for row in rows), "of them found"),
        (sum(row.misses for row in rows), "missed"),
        (counts.detections, "detections that count"),
        (sum(row.false_alarms for row in rows), "false alarms"),
        (sum(row.dont_care for row in rows), "detections in don’t-care regions, left out"),
    ]
    return (
        '<div class="tiles">'
        + "".join(f'<div class="tile"><b>{value}</b><span>{name}</span></div>' for value, name in large)
        + '</div><div class="tiles" style="margin-top:10px">'
        + "".join(f'<div class="tile small"><b>{value:,}</b><span>{name}</span></div>' for value, name in small)
        + "</div>"
    )


def _line_key(css: str, name: str) -> str:
    return f'<li><svg viewBox="0 0 34 12" aria-hidden="true"><path class="line {css}" d="M1 6H33"/></svg>{name}</li>'


def _curves(report: Report) -> str:
    curve = report.curve
    if curve is None or not len(curve.thresholds):
        reason = "the detections have no scores" if curve is None else "nothing was detected"
        return f'<h2>Score threshold</h2><p class="soft">There is no curve: {reason}.</p>'
    best = curve.best()
    counts = report.counts
    gain = curve.hmean[best] - counts.hmean
    advice = f"The best hmean on these pictures, {_percent(curve.hmean[best])}, is at {curve.thresholds[best]:.4f}"
    advice += f" ({100 * gain:+.2f} points)." if report.facts.threshold is not None else "."
    keys = "".join(_line_key(f"s-{name}", name) for name in ("precision", "recall", "hmean"))
    keys += f'<li><b class="round"></b>best hmean, at {curve.thresholds[best]:.2f}</li>'
    return (
        "<h2>Score threshold</h2>"
        "<p>Every point is a full matching of the detections whose score is at least the threshold, so it is what an "
        f"evaluation with that <code>box_thresh</code> gives. {advice} A threshold chosen on test pictures flatters: "
        "choose it on a validation split.</p>"
        f'<div class="pair"><figure>{precision_recall_chart(curve, (counts.recall, counts.precision))}'
        "<figcaption>Dotted: lines of equal hmean.</figcaption></figure>"
        f"<figure>{threshold_chart(curve, report.facts.threshold)}"
        f'<figcaption><ul class="keys">{keys}</ul></figcaption></figure></div>'
    )


def _bar(value: float, css: str) -> str:
    share = 100.0 * min(value, 1.0)
    return f'{100.0 * value:.1f}<span class="bar"><i class="{css}" style="width:{share:.1f}%"></i></span>'


def _range(low: float, high: float, unit: str) -> str:
    tail = f" {unit}" if unit else ""
    if math.isinf(low):
        return f"below {high:g}{tail}"
    return f"{low:g}{tail} and more" if math.isinf(high) else f"{low:g} – {high:g}{tail}"


BREAKDOWN_NOTES = {
    "height": "Height of the text line in pixels of the source picture: the short side of its band, straight or bent.",
    "aspect": "Length over height of the text line.",
    "curvature": "How far the outline is from convex: 1 − area / area of its convex hull. Straight text is 0.",
}


def _breakdown(name: str, rows: Sequence[Bin]) -> str:
    heads = ("texts", "recall %", "detections", "precision %", "hmean %")
    lines = []
    for row in rows:
        c = row.counts
        empty = ' class="none"' if not (c.truths or c.detections) else ""
        cells = [
            f"{c.truths:,}",
            _bar(c.recall, "b-recall") if c.truths else "–",
            f"{c.detections:,}",
            _bar(c.precision, "b-precision") if c.detections else "–",
            _bar(c.hmean, "b-hmean") if c.truths and c.detections else "–",
        ]
        label = _range(row.low, row.high, MEASURES[name].unit)
        lines.append(f"<tr{empty}><td>{label}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    return (
        f'<div><h3>{name.capitalize()}</h3><p class="soft">{BREAKDOWN_NOTES.get(name, "")}</p>'
        '<div class="scroll"><table>'
        f"<thead><tr><th>{name}</th>{''.join(f'<th>{head}</th>' for head in heads)}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div></div>"
    )


STAGE_COLOURS = ("#56b4e9", "#e69f00", "#0072b2", "#009e73")


def _time(report: Report) -> str:
    stages, pictures = report.facts.stages, max(1, len(report.rows))
    if not stages:
        return ""
    total = sum(seconds for _, seconds in stages) or 1.0
    bars = "".join(f'<i style="width:{100.0 * seconds / total:.2f}%"></i>' for _, seconds in stages)
    keys = "".join(
        f'<li><b style="background:{colour}"></b>{escape(name)} {1000.0 * seconds / pictures:.1f} ms</li>'
        for (name, seconds), colour in zip(stages, STAGE_COLOURS)
    )
    wall = report.facts.seconds
    return (
        "<h2>Time</h2>"
        f"<p>{_plural(len(report.rows), 'picture')} in {wall:.1f} s, {pictures / wall if wall else 0.0:.2f} a second. "
        "A picture took, on average, the times below; reading and preprocessing run beside the rest.</p>"
        f'<div class="stages" aria-hidden="true">{bars}</div><ul class="keys">{keys}</ul>'
    )


PICTURE_HEADS = ("texts", "found", "missed", "detections", "false alarms", "precision %", "recall %", "hmean %")


def picture_cells(row: PictureRow) -> tuple[str, ...]:
    """The figures of one picture, as :data:`PICTURE_HEADS` names them."""
    counts = (row.truths, row.hits, row.misses, row.detections, row.false_alarms)
    return (*map(str, counts), *(f"{100.0 * value:.1f}" for value in (row.precision, row.recall, row.hmean)))


def _pictures(report: Report) -> str:
    anchors = {exhibit.row.source: number for number, exhibit in enumerate(report.gallery, 1)}
    heads = [("picture", "text"), *((name, "number") for name in PICTURE_HEADS)]
    head = "".join(
        f'<th data-kind="{kind}" scope="col"><button type="button">{name}</button></th>' for name, kind in heads
    )
    lines: list[str] = []
    for row in report.rows:
        name = escape(row.source)
        if row.source in anchors:
            name = f'<a href="#picture-{anchors[row.source]}">{name}</a>'
        cells = "".join(f"<td>{cell}</td>" for cell in picture_cells(row))
        lines.append(f'<tr><td class="name">{name}</td>{cells}</tr>')
    return (
        "<h2>Pictures</h2><p>A click on a head sorts. A picture without text has recall 100, and precision 100 when "
        'nothing was detected in it; the sums above do not use that.</p><div class="tall"><table class="sortable">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _facts(title: str, rows: Iterable[tuple[str, str]]) -> str:
    lines = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows)
    return f'<div><h3>{title}</h3><table class="facts"><tbody>{lines}</tbody></table></div>' if lines else ""
