"""How synthetic scenes look: one frozen record of options, and the presets made of it."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class SceneStyle:
    """Options of ``make_scene``; pairs are inclusive (low, high) ranges drawn from for every picture.

    Attributes:
        words: words that a picture asks for, each >= 1. Words without room are left out.
        height: height of capital letters in pixels before perspective, each >= 6, drawn log-uniformly.
        curved: expected share of the words that stand on an arc or a wave, 0 to 1.
        slanted: share of the straight blocks turned by up to 60 degrees; the others keep within 12. 0 to 1.
        perspective: largest turn of a text's plane away from the camera in degrees, 0 to 60.
        illegible: expected share of the words made too small or too faint to read (``###``), 0 to 0.9.
        empty: share of the pictures that hold no text, 0 to 1.
        contrast: least difference of lettering and ground at painting time, in grey levels, 20 to 120.
        plates: share of the blocks that stand on a signboard, 0 to 1.
        photos: share of the backgrounds cut from scikit-image's sample pictures, 0 to 1.
        clutter: things that are not text (poles, wires, arrows, grids, ...) in a picture, each >= 0.
        blur: largest Gaussian sigma of the lens in pixels, 0 to 5.
        noise: largest standard deviation of the sensor noise in grey levels, 0 to 40.
        jpeg: quality of the compression before the final encoding, each 5 to 100.

    Raises:
        ValueError: an option is outside its range; the message names it.
    """

    words: tuple[int, int] = (3, 18)
    height: tuple[float, float] = (10.0, 90.0)
    curved: float = 0.2
    slanted: float = 0.15
    perspective: float = 40.0
    illegible: float = 0.08
    empty: float = 0.03
    contrast: float = 50.0
    plates: float = 0.45
    photos: float = 0.4
    clutter: tuple[int, int] = (2, 10)
    blur: float = 1.3
    noise: float = 11.0
    jpeg: tuple[int, int] = (35, 95)

    def __post_init__(self) -> None:
        """Check every option against its range."""
        for field in fields(self):
            low, high = _RANGES[field.name]
            value = getattr(self, field.name)
            ends = value if isinstance(value, tuple) else (value,)
            if not all(low <= end <= high for end in ends) or list(ends) != sorted(ends):
                between = "(low, high) with {:g} <= low <= high <= {:g}" if len(ends) > 1 else "{:g} to {:g}"
                raise ValueError(f"SceneStyle.{field.name}: got {value}, expected {between.format(low, high)}")


_RANGES: dict[str, tuple[float, float]] = {
    "words": (1, 200),
    "height": (6, 1000),
    "curved": (0, 1),
    "slanted": (0, 1),
    "perspective": (0, 60),
    "illegible": (0, 0.9),
    "empty": (0, 1),
    "contrast": (20, 120),
    "plates": (0, 1),
    "photos": (0, 1),
    "clutter": (0, 100),
    "blur": (0, 5),
    "noise": (0, 40),
    "jpeg": (5, 100),
}

STYLES: dict[str, SceneStyle] = {
    "default": SceneStyle(),
    "easy": SceneStyle(
        words=(2, 8),
        height=(20.0, 80.0),
        curved=0.15,
        slanted=0.08,
        perspective=25.0,
        illegible=0.02,
        contrast=80.0,
        plates=0.5,
        clutter=(0, 5),
        blur=0.8,
        noise=6.0,
        jpeg=(60, 95),
    ),
}
"""Presets by name: ``default`` is as hard as street photographs, ``easy`` is learnt in minutes on a CPU."""
