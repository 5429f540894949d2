"""The fast path: all geometry as one affine warp of the crop window, so that no picture is ever enlarged as a whole.

It draws the same random numbers in the same order as the plain chain, moves polygons by the same steps and draws
the same maps; only the pixels differ, by one interpolation instead of three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_pse.data.augment.colour import ColorJitter, ColourStep
from ppocr_pse.data.augment.iaa import Drawn, IaaAugment, planned_move
from ppocr_pse.data.augment.moves import Matrix, Move, Size, enlarge_to
from ppocr_pse.data.pictures import Picture
from ppocr_pse.data.targets import Window

Image = npt.NDArray[np.uint8]
OVERVIEW = 160  # pixels; longest side of the small copy from which contrast takes the mean grey


def obstacle(policies: Sequence[object]) -> str | None:
    """Why the fast path cannot stand in for these policies; None when it can.

    It takes colour first, then any number of resizes and flips and at most one rotation.
    """
    rotations = 0
    for i, policy in enumerate(policies):
        if isinstance(policy, ColorJitter):
            if any(isinstance(before, IaaAugment) for before in policies[:i]):
                return "ColorJitter stands after IaaAugment"
            continue
        if not isinstance(policy, IaaAugment):
            return f"{type(policy).__name__} is no affine move"
        for spec in policy.specs:
            if spec.spread is None:
                return f"IaaAugment has {spec.name} with {dict(spec.args) or list(spec.positional)}"
            rotations += spec.name == "Affine"
    return "IaaAugment turns more than once" if rotations > 1 else None


@dataclass(frozen=True)
class Plan:
    """The random numbers of one sample but those of the window, drawn before its picture is read.

    Attributes:
        colour: steps in order.
        moves: augmenters in order, each with its number.
        short_side: pixels to which the short side is enlarged at the end.
    """

    colour: tuple[ColourStep, ...]
    moves: tuple[Drawn, ...]
    short_side: int

    def steps(self, size: Size) -> list[Move]:
        """The geometric steps for a picture of (height, width)."""
        steps: list[Move] = []
        for spec, number in self.moves:
            move = planned_move(spec, number, steps[-1].size if steps else size)
            if move is not None:
                steps.append(move)
        enlarged = enlarge_to(steps[-1].size if steps else size, self.short_side)
        return steps if enlarged is None else [*steps, enlarged]

    def reduction(self, height: int, width: int) -> int:
        """How many pixels of the picture fall on one of the result, cut to a whole number."""
        matrix = compose(self.steps((height, width)))
        return max(1, int(1.0 / _scale(matrix) + 1e-6))


def draw_plan(policies: Sequence[ColorJitter | IaaAugment], short_side: int, rng: np.random.Generator) -> Plan:
    """Draw the numbers of all policies, in order."""
    colour: list[ColourStep] = []
    moves: list[Drawn] = []
    for policy in policies:
        if isinstance(policy, ColorJitter):
            colour.extend(policy.draw(rng))
        else:
            moves.extend(policy.draw(rng))
    return Plan(tuple(colour), tuple(moves), short_side)


def compose(steps: Sequence[Move]) -> Matrix:
    """One matrix for all steps."""
    matrix: Matrix = np.eye(3)
    for step in steps:
        matrix = step.matrix @ matrix
    return matrix


def render(picture: Picture, steps: Sequence[Move], window: Window, colour: Sequence[ColourStep]) -> Image:
    """Make the pixels of one window of the moved picture.

    Args:
        picture: as read, perhaps at a reduced size.
        steps: the moves.
        window: in pixels of the moved picture; what lies beyond that is black.
        colour: steps that are applied to the window; contrast looks at the whole picture.

    Returns:
        uint8 (window.height, window.width, 3).
    """
    canvas_h, canvas_w = steps[-1].size if steps else picture.size
    height, width = min(window.height, canvas_h - window.top), min(window.width, canvas_w - window.left)
    to_window = np.array([[1.0, 0.0, -window.left], [0.0, 1.0, -window.top], [0.0, 0.0, 1.0]]) @ compose(steps)
    part = warp(picture.pixels, to_window @ np.diag([picture.reduction, picture.reduction, 1.0]), (height, width))
    part = ColorJitter.apply(part, colour, _overview(picture.pixels, colour))
    if any(step.turned for step in steps):
        blacken_outside(part, to_window, picture.size)
    if (height, width) == (window.height, window.width):
        return part
    missing = window.height - height, window.width - width
    return cv2.copyMakeBorder(part, 0, missing[0], 0, missing[1], cv2.BORDER_CONSTANT, value=(0, 0, 0))


def warp(pixels: Image, matrix: Matrix, size: Size) -> Image:
    """Warp a picture into a window; beyond its border the outermost pixels go on.

    Only the part of the picture that the window shows is touched. Where several pixels of it fall on one of the
    window, they are averaged first.

    Args:
        pixels: uint8 (H, W, 3).
        matrix: float64 (3, 3), point of the picture -> point of the window, counted from pixel corners.
        size: (height, width) of the window.
    """
    height, width = size
    every = max(1, int(1.0 / _scale(matrix) + 1e-6))
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], np.float64)
    seen = (corners @ np.linalg.inv(matrix).T)[:, :2]
    bounds = np.array(pixels.shape[1::-1])
    first = np.clip(np.floor(seen.min(axis=0)).astype(int) - 2 * every, 0, bounds - 1)
    last = np.clip(np.ceil(seen.max(axis=0)).astype(int) + 2 * every, first + 1, bounds)
    part = pixels[first[1] : last[1], first[0] : last[0]]
    if every > 1:
        cells = -(-(last - first) // every)
        missing = (cells * every - (last - first)).tolist()
        part = cv2.copyMakeBorder(part, 0, missing[1], 0, missing[0], cv2.BORDER_REPLICATE)
        part = cv2.resize(part, cells.tolist(), interpolation=cv2.INTER_AREA)
    half = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
    part_to_picture = np.array([[every, 0.0, first[0]], [0.0, every, first[1]], [0.0, 0.0, 1.0]])
    centres = np.linalg.inv(half) @ matrix @ part_to_picture @ half  # OpenCV counts from pixel centres
    return cv2.warpAffine(part, centres[:2], (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def blacken_outside(image: Image, to_window: Matrix, picture_size: Size) -> None:
    """Paint black, in place, what a turned picture leaves empty in its window.

    Args:
        image: uint8 (H, W, 3), the window.
        to_window: float64 (3, 3), point of the picture -> point of the window.
        picture_size: (height, width) of the picture.
    """
    height, width = picture_size
    outline = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], np.float64)
    outline = (outline @ to_window.T)[:, :2]
    centre = outline.mean(axis=0)
    far = 2.0 * sum(image.shape[:2])
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * image.shape[1::-1]
    for a, b in zip(outline, np.roll(outline, -1, axis=0), strict=False):
        along = (b - a) / np.hypot(*(b - a))
        outward = np.array([along[1], -along[0]])
        outward = outward if (a - centre) @ outward > 0 else -outward
        if ((corners - a) @ outward).max() <= 0:
            continue
        middle = a + ((corners.mean(axis=0) - a) @ along) * along  # of the edge, as seen from the window
        strip = np.array([middle - far * along, middle + far * along])
        strip = np.concatenate([strip, strip[::-1] + far * outward]) + 0.5 * outward - 0.5
        cv2.fillConvexPoly(image, np.round(strip * 16).astype(np.int32), (0, 0, 0), shift=4)


def _scale(matrix: Matrix) -> float:
    return float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))


def _overview(pixels: Image, colour: Sequence[ColourStep]) -> Image | None:
    if not any(key == "contrast" for key, _ in colour):
        return None
    every = max(1, max(pixels.shape[:2]) // OVERVIEW)
    size = tuple(-(-side // every) for side in pixels.shape[1::-1])
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
