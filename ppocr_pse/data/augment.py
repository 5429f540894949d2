"""Random policies: `draw` takes the numbers from a generator, `apply` uses them and is deterministic.

Every policy turns a Sample into a Sample; polygons always follow the picture.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_pse.data.imgaug_compat import load_augmenters
from ppocr_pse.types import Polygon, Sample

Rng = np.random.Generator
ColourStep = tuple[str, float]


@dataclass(frozen=True)
class ColorJitter:
    """Change brightness, contrast, saturation and hue by random factors, in random order.

    Args:
        brightness: b: factor from U(max(0, 1 - b), 1 + b).
        contrast: as brightness.
        saturation: as brightness.
        hue: turn of the colour circle from U(-hue, hue), in whole turns, at most 0.5.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        for key, limit in (
            ("brightness", np.inf),
            ("contrast", np.inf),
            ("saturation", np.inf),
            ("hue", 0.5),
        ):
            if not 0 <= getattr(self, key) <= limit:
                raise ValueError(f"ColorJitter: {key} is {getattr(self, key)!r}, expected 0 to {limit}")

    def draw(self, rng: Rng) -> list[ColourStep]:
        """Draw the steps in the order in which they are to be applied."""
        steps = [
            (key, float(rng.uniform(max(0.0, 1.0 - spread), 1.0 + spread)))
            for key, spread in (
                ("brightness", self.brightness),
                ("contrast", self.contrast),
                ("saturation", self.saturation),
            )
            if spread
        ]
        if self.hue:
            steps.append(("hue", float(rng.uniform(-self.hue, self.hue))))
        return [steps[i] for i in rng.permutation(len(steps))]

    @staticmethod
    def apply(image: npt.NDArray[np.uint8], steps: Sequence[ColourStep]) -> npt.NDArray[np.uint8]:
        """Apply drawn steps to uint8 (H, W, 3) BGR."""
        for key, factor in steps:
            if key == "brightness":
                image = cv2.convertScaleAbs(image, alpha=factor)
            elif key == "contrast":
                grey = float(cv2.mean(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))[0])
                image = cv2.addWeighted(image, factor, np.full_like(image, round(grey)), 1.0 - factor, 0.0)
            elif key == "saturation":
                dull = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
                image = cv2.addWeighted(image, factor, dull, 1.0 - factor, 0.0)
            else:
                hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV_FULL)
                hsv[..., 0] += np.uint8(round(factor * 256) % 256)
                image = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR_FULL)
        return image

    def __call__(self, sample: Sample, rng: Rng) -> Sample:
        """Draw and apply."""
        return replace(sample, image=self.apply(sample.image, self.draw(rng)))


@dataclass(frozen=True)
class AugmenterSpec:
    """One entry of IaaAugment: an imgaug augmenter by name, with its arguments."""

    name: str
    args: Mapping[str, Any]


# Names that newer PaddleOCR files use for the same operations, with the argument that is renamed.
ALIASES = {"RandomScale": ("Resize", "scale_limit", "size"), "HorizontalFlip": ("Fliplr", "p", "p")}
DEFAULT_AUGMENTERS = (
    {"type": "Fliplr", "args": {"p": 0.5}},
    {"type": "Affine", "args": {"rotate": [-10, 10]}},
    {"type": "Resize", "args": {"size": [0.5, 3]}},
)


def parse_augmenter(entry: Any) -> AugmenterSpec:
    """Read ``{type: Name, args: {...}}``, or PaddleOCR's older ``[Name, arg]`` for Fliplr and Resize.

    A range written ``( 0.5, 3 )`` inside braces, as one PaddleOCR file has it, is split by YAML at its
    comma; it is put together again.

    Raises:
        ValueError: if it has another form.
    """
    if isinstance(entry, (list, tuple)) and len(entry) == 2 and isinstance(entry[0], str):
        entry = {"type": entry[0], "args": {{"Fliplr": "p", "Resize": "size"}.get(entry[0], "?"): entry[1]}}
    unknown = set(entry) - {"type", "args"} if isinstance(entry, Mapping) else {"?"}
    if unknown or "type" not in entry or not isinstance(entry.get("args") or {}, Mapping):
        raise ValueError(f"IaaAugment: augmenter_args: got {entry!r}, expected {{type: NAME, args: {{...}}}}")
    args = dict(entry.get("args") or {})
    for key, value in list(args.items()):
        ends = [other for other, nothing in args.items() if nothing is None and str(other).endswith(")")]
        if isinstance(value, str) and value.startswith("(") and len(ends) == 1:
            del args[ends[0]]
            args[key] = [float(value.strip("( ")), float(str(ends[0]).strip(") "))]
    name = str(entry["type"])
    if name in ALIASES:
        name, old, new = ALIASES[name]
        args = {new if key == old else key: value for key, value in args.items()}
    return AugmenterSpec(name, {key: tuple(v) if isinstance(v, list) else v for key, v in args.items()})


@functools.lru_cache(maxsize=1)
def _augmenters() -> ModuleType:
    return load_augmenters()


class IaaAugment:
    """imgaug augmenters, applied in list order.

    Resize, Fliplr and Affine rotation are drawn here and handed to imgaug as fixed numbers, so that PaddleOCR's
    meaning holds: Resize takes one factor for both axes, sizes are cut to whole pixels, bilinear; any other
    augmenter of ``imgaug.augmenters`` is built by name and seeded with a drawn number.

    Args:
        augmenter_args: list of {type, args}; PaddleOCR's default chain when absent.

    Raises:
        ValueError: at construction, for an unknown augmenter or arguments that it refuses.
    """

    def __init__(self, augmenter_args: Sequence[Any] | None = None) -> None:
        entries = DEFAULT_AUGMENTERS if augmenter_args is None else augmenter_args
        self.specs = [parse_augmenter(entry) for entry in entries]
        for spec in self.specs:
            self._build(spec, np.random.default_rng(0), (64, 64))

    def __call__(self, sample: Sample, rng: Rng) -> Sample:
        """Draw and apply, one augmenter after the other."""
        for spec in self.specs:
            augmenter = self._build(spec, rng, sample.image.shape[:2])
            if augmenter is not None:
                sample = apply_augmenter(augmenter, sample)
        return sample

    @staticmethod
    def _build(spec: AugmenterSpec, rng: Rng, size: Sequence[int]) -> Any:
        """Draw the numbers of one augmenter; None when it is drawn to do nothing."""
        iaa = _augmenters()
        args = dict(spec.args)
        try:
            if spec.name == "Resize" and set(args) == {"size"} and _is_range(args["size"]):
                factor = rng.uniform(*args["size"])
                height, width = (max(1, int(side * factor)) for side in size)
                return iaa.Resize({"height": height, "width": width}, interpolation="linear")
            if spec.name == "Fliplr" and set(args) <= {"p"}:
                return iaa.Fliplr(1.0) if rng.random() < float(args.get("p", 1.0)) else None
            if spec.name == "Affine" and set(args) == {"rotate"} and _is_range(args["rotate"]):
                return iaa.Affine(rotate=float(rng.uniform(*args["rotate"])))
            if not hasattr(iaa, spec.name):
                raise ValueError(f"IaaAugment: imgaug has no augmenter named {spec.name!r}")
            return getattr(iaa, spec.name)(**args, seed=int(rng.integers(2**31)))
        except (TypeError, AssertionError) as error:
            raise ValueError(f"IaaAugment: {spec.name} refuses {args}: {str(error)[:200]}") from None


def _is_range(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(isinstance(v, (int, float)) for v in value)


def apply_augmenter(augmenter: Any, sample: Sample) -> Sample:
    """Apply an imgaug augmenter to the picture and to all its polygons in one go."""
    from imgaug.augmentables import Keypoint, KeypointsOnImage

    fixed = augmenter.to_deterministic()
    image = fixed.augment_image(sample.image)
    if not sample.polygons:
        return replace(sample, image=image)
    points = np.concatenate(sample.polygons)
    keypoints = KeypointsOnImage([Keypoint(x, y) for x, y in points.tolist()], shape=sample.image.shape)
    moved = fixed.augment_keypoints(keypoints).to_xy_array().astype(np.float32)
    splits = np.cumsum([len(polygon) for polygon in sample.polygons])[:-1]
    return replace(sample, image=image, polygons=tuple(np.split(moved, splits)))


@dataclass(frozen=True)
class RandomCropImgMask:
    """Choose the crop window; with probability 1 - p, where text exists, near the text.

    Args:
        size: [height, width] in pixels.
        main_key: must be ``gt_text``: the map that says where text is.
        crop_keys: what is cropped; the PSE set [image, gt_text, gt_kernels, mask].
        p: probability of a window that does not look at the text.
    """

    size: Sequence[int] | int
    main_key: str = "gt_text"
    crop_keys: Sequence[str] = ("image", "gt_text", "gt_kernels", "mask")
    p: float = 3 / 8

    def __post_init__(self) -> None:
        if self.main_key != "gt_text":
            raise ValueError(f"RandomCropImgMask: main_key is {self.main_key!r}, expected gt_text")
        if set(self.crop_keys) != {"image", "gt_text", "gt_kernels", "mask"}:
            raise ValueError(
                f"RandomCropImgMask: crop_keys is {list(self.crop_keys)}, expected [image, gt_text, gt_kernels, mask]"
            )
        if isinstance(self.size, int) or len(self.size) != 2 or min(self.size) < 32:
            raise ValueError(f"RandomCropImgMask: size is {self.size!r}, expected [height, width], each at least 32")

    def draw(self, rng: Rng, height: int, width: int, text_maps: Sequence[npt.NDArray[np.int32]]) -> tuple[int, int]:
        """Draw the top left corner of the window.

        Args:
            rng: generator.
            height: of the picture.
            width: of the picture.
            text_maps: the polygons that the text map is drawn from, int32 (N, 2).

        Returns:
            (top, left) in pixels.
        """
        crop_h, crop_w = self.size  # type: ignore[misc]
        low, high = (0, 0), (max(0, height - crop_h), max(0, width - crop_w))
        extent = text_extent(text_maps, height, width)
        if extent is not None and rng.random() > self.p:
            first_y, first_x, last_y, last_x = extent
            low = (max(0, first_y - crop_h), max(0, first_x - crop_w))
            high = (min(high[0], max(0, last_y - crop_h)), min(high[1], max(0, last_x - crop_w)))
        top, left = (int(rng.integers(a, b + 1)) if b > a else 0 for a, b in zip(low, high, strict=False))
        return top, left


def text_extent(polygons: Sequence[npt.NDArray[np.int32]], height: int, width: int) -> tuple[int, int, int, int] | None:
    """First and last row and column with text inside a picture: (top, left, bottom, right), or None."""
    boxes = [
        (*np.maximum(p.min(axis=0), 0).tolist(), *np.minimum(p.max(axis=0), (width - 1, height - 1)).tolist())
        for p in polygons
    ]
    boxes = [box for box in boxes if box[0] <= box[2] and box[1] <= box[3]]
    if not boxes:
        return None
    left, top, right, bottom = zip(*boxes, strict=False)
    return min(top), min(left), max(bottom), max(right)


def crop(sample: Sample, top: int, left: int, height: int, width: int) -> Sample:
    """Cut the window out of a picture; what lies beyond the picture's border is black, polygons are shifted."""
    window = sample.image[top : top + height, left : left + width]
    missing_h, missing_w = height - window.shape[0], width - window.shape[1]
    if missing_h or missing_w:
        window = cv2.copyMakeBorder(window, 0, missing_h, 0, missing_w, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    shift = np.array([left, top], np.float32)
    polygons: tuple[Polygon, ...] = tuple(polygon - shift for polygon in sample.polygons)
    return replace(sample, image=window, polygons=polygons)
