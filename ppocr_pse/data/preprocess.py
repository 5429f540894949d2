"""Picture file to network input: decode, resize, normalise, HWC to CHW; shared by eval, inference and export."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_pse.data.decoding.files import read_frames, read_picture
from ppocr_pse.data.decoding.rules import Rules
from ppocr_pse.data.pictures import Frame, Image, ImageError, Picture, ReductionFor, whole
from ppocr_pse.types import ImageScale

if TYPE_CHECKING:
    import paddle

__all__ = [
    "DEFAULT_LIMIT",
    "DecodeImage",
    "DetResizeForTest",
    "Image",
    "ImageError",
    "NetworkInput",
    "NormalizeImage",
    "Preprocess",
    "ToCHWImage",
]

STRIDE = 32
DEFAULT_LIMIT = 736
MAX_PIXELS = 500_000_000


@dataclass(frozen=True)
class DecodeImage:
    """Picture file to uint8 (H, W, 3); EXIF orientation is honoured unless asked not to.

    Args:
        img_mode: ``BGR`` (what PaddleOCR's PSE weights expect) or ``RGB``.
        channel_first: must be false; ToCHWImage turns the axes.
        ignore_orientation: leave the picture as it is stored.
        max_pixels: height x width that a picture may have; larger ones are refused before they are decoded. 0 for
            no limit.
    """

    img_mode: str = "RGB"
    channel_first: bool = False
    ignore_orientation: bool = False
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        if self.img_mode not in ("BGR", "RGB"):
            raise ValueError(f"DecodeImage: img_mode is {self.img_mode!r}, expected BGR or RGB")
        if self.channel_first:
            raise ValueError("DecodeImage: channel_first is true, expected false; use ToCHWImage at the end")
        if self.max_pixels < 0:
            raise ValueError(f"DecodeImage: max_pixels is {self.max_pixels!r}, expected pixels, or 0 for no limit")

    def __call__(self, path: Path) -> Image:
        """Read and decode one file; of several pages or frames the first.

        Raises:
            ImageError: if it is missing, empty, too large or no picture that can be decoded.
        """
        return self.read(path, whole).pixels

    def read(self, path: Path, reduction_for: ReductionFor) -> Picture:
        """Read and decode one file, a JPEG at the reduced size that is asked for.

        Args:
            path: of the file.
            reduction_for: (height, width) of the whole picture -> how much it may be reduced.

        Raises:
            ImageError: as for a call.
        """
        picture = read_picture(path, self._rules(), reduction_for)
        return replace(picture, pixels=self._in_order(picture.pixels))

    def frames(self, path: Path) -> Iterator[Frame]:
        """Read all pages or frames of a file, one after the other; most files hold one.

        Raises:
            ImageError: if nothing at all can be read; what is wrong with one of several pages stands in its frame.
        """
        for frame in read_frames(path, self._rules()):
            yield frame if frame.pixels is None else replace(frame, pixels=self._in_order(frame.pixels))

    def _rules(self) -> Rules:
        return Rules(self.ignore_orientation, self.max_pixels)

    def _in_order(self, image: Image) -> Image:
        return image if self.img_mode == "BGR" else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


@dataclass(frozen=True)
class DetResizeForTest:
    """Resize a picture so that the network can take it; both sides become multiples of 32.

    Args:
        image_shape: [H, W]: stretch to exactly that; with keep_ratio the width follows the height.
        keep_ratio: see image_shape.
        limit_side_len: pixels; the default is 736 when nothing else is given.
        limit_type: ``min`` enlarges until the short side reaches the limit, ``max`` shrinks until the long
            side does, ``resize_long`` does either to bring the long side there.
        resize_long: pixels of the long side; both sides are then rounded up to a multiple of 128.
    """

    image_shape: Sequence[int] | None = None
    keep_ratio: bool = False
    limit_side_len: int | None = None
    limit_type: str = "min"
    resize_long: int | None = None

    def __post_init__(self) -> None:
        if self.limit_type not in ("min", "max", "resize_long"):
            raise ValueError(
                f"DetResizeForTest: limit_type is {self.limit_type!r}, expected one of ['min', 'max', 'resize_long']"
            )
        if self.image_shape is not None and len(self.image_shape) != 2:
            raise ValueError(f"DetResizeForTest: image_shape is {self.image_shape!r}, expected [height, width]")
        for key in ("limit_side_len", "resize_long"):
            value = getattr(self, key)
            if value is not None and value < 1:
                raise ValueError(f"DetResizeForTest: {key} is {value!r}, expected a number of pixels above 0")

    def __call__(self, image: Image) -> tuple[Image, ImageScale]:
        """Resize bilinearly.

        Args:
            image: uint8 (H, W, 3).

        Returns:
            The resized picture and how it was scaled. Pictures with H + W < 64 are padded with black at
            the right and bottom to at least 32 pixels a side first.
        """
        src_h, src_w = image.shape[:2]
        if src_h + src_w < 64:
            padded = np.zeros((max(32, src_h), max(32, src_w), image.shape[2]), image.dtype)
            padded[:src_h, :src_w] = image
            image = padded
        h, w = image.shape[:2]
        new_h, new_w = self.target_size(h, w)
        if (new_h, new_w) != (h, w):
            image = cv2.resize(image, (new_w, new_h))
        return image, ImageScale(float(src_h), float(src_w), new_h / h, new_w / w)

    def target_size(self, h: int, w: int) -> tuple[int, int]:
        """Height and width in pixels that a picture of h x w is brought to."""
        if self.image_shape is not None:
            new_h, new_w = self.image_shape
            if self.keep_ratio:
                new_w = math.ceil(w * new_h / h / STRIDE) * STRIDE
            return new_h, new_w
        if self.limit_side_len is None and self.resize_long is not None:
            ratio = self.resize_long / max(h, w)
            return _round_up(int(h * ratio), 128), _round_up(int(w * ratio), 128)
        limit = self.limit_side_len or DEFAULT_LIMIT
        ratio = 1.0
        if self.limit_type == "min" and min(h, w) < limit:
            ratio = limit / min(h, w)
        elif (self.limit_type == "max" and max(h, w) > limit) or self.limit_type == "resize_long":
            ratio = limit / max(h, w)
        return _round_nearest(int(h * ratio)), _round_nearest(int(w * ratio))


def _round_up(pixels: int, multiple: int) -> int:
    return max(1, -(-pixels // multiple)) * multiple


def _round_nearest(pixels: int) -> int:
    return max(STRIDE, round(pixels / STRIDE) * STRIDE)


def parse_fraction(value: str | float) -> float:
    """Read a number or PaddleOCR's fraction string such as ``1./255.``.

    Raises:
        ValueError: for anything else.
    """
    try:
        if isinstance(value, str):
            numerator, _, denominator = value.partition("/")
            return float(numerator) / float(denominator or 1)
        return float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        raise ValueError(f"got {value!r}, expected a number or a fraction such as 1./255.") from None


class NormalizeImage:
    """(image * scale - mean) / std per channel, in float32.

    Args:
        scale: a number or a fraction string; 1/255 when absent.
        mean: per channel; ImageNet's when absent. Applied in channel order as it stands: PaddleOCR's PSE
            weights were trained on BGR with these RGB values.
        std: per channel; ImageNet's when absent.
        order: must be ``hwc``; ToCHWImage comes after.
    """

    def __init__(
        self,
        scale: str | float | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        order: str = "hwc",
    ) -> None:
        if order != "hwc":
            raise ValueError(f"NormalizeImage: order is {order!r}, expected hwc; put ToCHWImage after it")
        try:
            self.scale = 1.0 / 255.0 if scale is None else parse_fraction(scale)
        except ValueError as error:
            raise ValueError(f"NormalizeImage: scale: {error}") from None
        self.mean = np.array([0.485, 0.456, 0.406] if mean is None else mean, np.float32)
        self.std = np.array([0.229, 0.224, 0.225] if std is None else std, np.float32)
        for key, value in (("mean", self.mean), ("std", self.std)):
            if value.shape != (3,):
                raise ValueError(f"NormalizeImage: {key} is {value.tolist()}, expected three numbers")
        self._gain = (self.scale / self.std).astype(np.float32)
        self._offset = self.mean / self.std
        every_level = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, 2)
        self._tables = np.ascontiguousarray(self(every_level)[:, 0].T).reshape(3, 1, 256)

    def __call__(self, image: Image) -> npt.NDArray[np.float32]:
        """Return float32 (H, W, 3)."""
        return image.astype(np.float32) * self._gain - self._offset

    def planes(self, planes: Iterable[Image], out: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The values of a call by a table of the 256 levels, in a tenth of the time.

        Args:
            planes: the three channels, uint8 (H, W) each.
            out: float32 (3, H, W), is filled and returned.
        """
        for plane, table, values in zip(planes, self._tables, out):
            cv2.LUT(plane, table, values)
        return out

    def on_device(self, images: paddle.Tensor) -> paddle.Tensor:
        """Normalise a batch where it lies, so that only bytes travel; the same values as a call.

        Args:
            images: uint8 (B, 3, H, W).

        Returns:
            float32 (B, 3, H, W).
        """
        import paddle

        gain, offset = (paddle.to_tensor(v.reshape(1, 3, 1, 1), place=images.place) for v in (self._gain, self._offset))
        return images.astype("float32") * gain - offset


@dataclass(frozen=True)
class ToCHWImage:
    """(H, W, C) to (C, H, W), contiguous."""

    def __call__(self, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the same values as float32 (C, H, W)."""
        return np.ascontiguousarray(image.transpose(2, 0, 1))


@dataclass(frozen=True)
class NetworkInput:
    """A picture ready for the network, with its way back.

    Attributes:
        image: float32 (3, H, W), normalised; H and W multiples of 32.
        scale: how it was resized.
    """

    image: npt.NDArray[np.float32]
    scale: ImageScale


@dataclass(frozen=True)
class Preprocess:
    """The chain from a file to the network, as the Eval section of a configuration describes it."""

    decode: DecodeImage
    resize: DetResizeForTest
    normalize: NormalizeImage

    def prepare(self, image: Image) -> NetworkInput:
        """Resize and normalise a decoded picture, uint8 (H, W, 3)."""
        resized, scale = self.resize(image)
        room = np.empty((3, *resized.shape[:2]), np.float32)
        return NetworkInput(self.normalize.planes(cv2.split(resized), room), scale)
