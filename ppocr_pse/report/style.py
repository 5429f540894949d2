"""What outlines look like: Okabe and Ito's colours, which colour-blind people can tell apart, and a dash each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Kind:
    """One kind of outline.

    Attributes:
        label: what it is, for the legend.
        side: whose outline it is.
        colour: CSS colour.
        dash: SVG dash pattern in screen pixels, "none" for a full line.
        width: of the line in screen pixels.
        fill: opacity of the inside, 0 to 1.
    """

    label: str
    side: str
    colour: str
    dash: str
    width: float
    fill: float


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "truth": Kind("found text", "ground truth", "#56B4E9", "6 3", 1.8, 0.0),
        "hit": Kind("hit", "detection", "#009E73", "none", 2.0, 0.0),
        "miss": Kind("missed text", "ground truth", "#F0E442", "11 4", 2.6, 0.14),
        "false": Kind("false alarm", "detection", "#D55E00", "9 3 2 3", 2.6, 0.14),
        "dontcare": Kind("don't-care text", "ground truth", "#CC79A7", "2.5 3", 2.2, 0.0),
        "dropped": Kind("detection in don't-care", "detection", "#CC79A7", "4 2 1 2 1 2", 1.4, 0.0),
    }
)
"""By what became of a text or a detection; the keys are CSS classes of the page."""


def kind_rules() -> str:
    """The style sheet's part for :data:`KINDS`, and for hiding each of them."""
    lines = []
    for key, kind in KINDS.items():
        lines.append(
            f".k-{key}{{stroke:{kind.colour};stroke-dasharray:{kind.dash};stroke-width:{kind.width};"
            f"fill:{kind.colour};fill-opacity:{kind.fill}}}"
        )
        lines.append(f".hide-{key} .g-{key}{{display:none}}")
    return "\n".join(lines)
