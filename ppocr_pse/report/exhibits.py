"""The gallery of a page: each picture under its outlines, with its score map beside it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby

from ppocr_pse.report.gallery import Exhibit, Outline
from ppocr_pse.report.style import KINDS

ON_MAP = ("dontcare", "truth", "miss")  # the score map shows what should have been found


def gallery_section(exhibits: Sequence[Exhibit], imperfect: int) -> str:
    """The section with the worst pictures.

    Args:
        exhibits: the pictures, the worst first.
        imperfect: how many pictures have a miss or a false alarm.
    """
    head = '<section id="gallery"><h2>Worst pictures</h2>'
    if not exhibits:
        words = "Every text was found, and nothing else." if not imperfect else "None were asked for."
        return f'{head}<p class="soft">{words}</p></section>'
    which = "All" if len(exhibits) == imperfect else f"The worst {len(exhibits)} of"
    return (
        f"{head}<p>{which} {imperfect} pictures with a missed text or a false alarm, the lowest hmean first. "
        "Hold the pointer on an outline to read its text or score; click a picture to enlarge it.</p>"
        f"{_legend(any(exhibit.score_map for exhibit in exhibits))}"
        + "\n".join(_figure(exhibit, number) for number, exhibit in enumerate(exhibits, 1))
        + "</section>"
    )


def _legend(with_map: bool) -> str:
    keys = "".join(
        f'<li><label><input type="checkbox" checked data-kind="{key}"><svg class="swatch" viewBox="0 0 44 16" '
        f'aria-hidden="true"><path class="o k-{key}" d="M4 3H40V13H4Z"/></svg>{escape(kind.label)} '
        f'<span class="soft">({kind.side})</span></label></li>'
        for key, kind in KINDS.items()
    )
    ramp = '<li>score map: 0<span class="ramp"></span>1</li>' if with_map else ""
    return f'<div class="legend"><ul class="keys">{keys}{ramp}</ul></div>'


def _figure(exhibit: Exhibit, number: int) -> str:
    row = exhibit.row
    facts = (
        f"hmean {100 * row.hmean:.1f}&thinsp;%",
        f"{row.hits} of {row.truths} texts found",
        f"{row.misses} missed",
        f"{row.false_alarms} false alarm{'' if row.false_alarms == 1 else 's'}",
    )
    notes = "".join(f'<span class="soft">{fact}</span>' for fact in facts)
    views = _view(exhibit, "photo", exhibit.picture, exhibit.size, tuple(KINDS), f"{row.source} with outlines")
    if exhibit.score_map:
        views += _view(exhibit, "map", exhibit.score_map, exhibit.map_size, ON_MAP, f"score map of {row.source}")
    return (
        f'<article class="exhibit" id="picture-{number}"><header><b>{number}. {escape(row.source)}</b>{notes}</header>'
        f'<div class="views{"" if exhibit.score_map else " alone"}">{views}</div></article>'
    )


def _view(exhibit: Exhibit, css: str, picture: str, size: tuple[float, float], kinds: Sequence[str], label: str) -> str:
    width, height = exhibit.size
    image = (
        f'<image href="{picture}" width="{size[0]:.2f}" height="{size[1]:.2f}" preserveAspectRatio="none"/>'
        if picture
        else f'<text x="{width / 2:.0f}" y="{height / 2:.0f}" text-anchor="middle" fill="#fff">no picture</text>'
    )
    layers = "".join(
        _layer(kind, list(outlines))
        for kind, outlines in groupby(exhibit.outlines, key=lambda outline: outline.kind)
        if kind in kinds
    )
    box = f'viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}"'
    return f'<svg class="{css}" {box}>{image}{layers}</svg>'


def _layer(kind: str, outlines: Sequence[Outline]) -> str:
    """All outlines of a kind over one dark edge, which keeps them visible on any ground."""
    paths = [_path(outline) for outline in outlines]
    lines = "".join(
        f'<path class="o k-{kind}" d="{path}"><title>{escape(KINDS[kind].label)}'
        f"{escape(': ' + outline.note if outline.note else '')}</title></path>"
        for path, outline in zip(paths, outlines)
    )
    return f'<g class="g-{kind}"><path class="under" d="{"".join(paths)}"/>{lines}</g>'


def _path(outline: Outline) -> str:
    return (
        "M" + "L".join(f"{x:.4g} {y:.4g}" if max(x, y) < 1000 else f"{x:.0f} {y:.0f}" for x, y in outline.points) + "Z"
    )
