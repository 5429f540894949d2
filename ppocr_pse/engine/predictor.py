"""Pictures to detections: read, preprocess, network, post-process, each timed apart; a bad picture is named."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import paddle

from ppocr_pse.data.loader import ordered_map
from ppocr_pse.data.preprocess import Image, ImageError, NetworkInput, Preprocess
from ppocr_pse.types import Detections, ImageScale

PICTURE_SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".png",
        ".bmp",
        ".dib",
        ".tif",
        ".tiff",
        ".webp",
        ".ppm",
        ".pgm",
        ".pbm",
        ".jp2",
    }
)


class Network(Protocol):
    """What runs the network: Paddle here; other engines keep to the same call."""

    def run(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Map float32 (B, 3, H, W) to logits float32 (B, K, h, w)."""
        ...


class PaddleNetwork:
    """A PSENet layer as a Network; evaluation mode while it runs, the former mode afterwards."""

    def __init__(self, model: paddle.nn.Layer) -> None:
        self.model = model

    def run(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Map float32 (B, 3, H, W) to logits float32 (B, K, h, w)."""
        training = self.model.training
        self.model.eval()
        try:
            with paddle.no_grad():
                return self.model(paddle.to_tensor(images))["maps"].astype("float32").numpy()
        finally:
            if training:
                self.model.train()


class Decoder(Protocol):
    """What turns logits into detections."""

    def decode(self, maps: npt.NDArray[np.float32], scales: list[ImageScale]) -> list[Detections]:
        """Map logits (B, K, h, w) and one scale a picture to one result a picture."""
        ...


@dataclass(frozen=True)
class Timing:
    """Seconds spent on one picture."""

    read: float = 0.0
    preprocess: float = 0.0
    network: float = 0.0
    postprocess: float = 0.0

    def __add__(self, other: Timing) -> Timing:
        """Add stage by stage."""
        return Timing(*(a + b for a, b in zip(astuple(self), astuple(other), strict=False)))


@dataclass(frozen=True)
class PictureResult:
    """One picture of a stream: either detections or an error.

    Attributes:
        path: as it was given.
        image: uint8 (H, W, 3) in the channel order of the configuration, or None.
        detections: what was found; nothing when there is an error.
        error: what is wrong with the picture, or "".
        timing: seconds a stage.
        logits: float32 (K, h, w) of the network, or None when the predictor does not keep them.
        scale: how the picture was resized for the network, or None when there is an error.
    """

    path: Path
    image: Image | None
    detections: Detections
    error: str
    timing: Timing
    logits: npt.NDArray[np.float32] | None = None
    scale: ImageScale | None = None


NOTHING = Detections((), np.zeros(0, np.float32))


class Predictor:
    """The whole way from a picture to polygons.

    Args:
        network: runs the model.
        preprocess: decode, resize, normalise.
        decoder: logits to detections.
        keep_logits: hand the logits of each picture on in ``stream``, for reports and for tuning the decoder.
    """

    def __init__(self, network: Network, preprocess: Preprocess, decoder: Decoder, keep_logits: bool = False) -> None:
        self.network = network
        self.preprocess = preprocess
        self.decoder = decoder
        self.keep_logits = keep_logits

    def detect(self, image: Image) -> Detections:
        """Find the texts of one decoded picture, uint8 (H, W, 3)."""
        return self._finish(self.preprocess.prepare(image))[0]

    def stream(self, paths: Iterable[Path], workers: int = 1) -> Iterator[PictureResult]:
        """Go through picture files in order; reading and preprocessing run ahead in threads.

        Args:
            paths: picture files.
            workers: reader threads; 0 reads in this thread.
        """
        for path, image, ready, error, timing in ordered_map(self._read, paths, workers):
            if image is None or ready is None:
                yield PictureResult(path, None, NOTHING, error, timing)
                continue
            detections, rest, maps = self._finish(ready)
            logits = maps[0] if self.keep_logits else None
            yield PictureResult(path, image, detections, "", timing + rest, logits, ready.scale)

    def _read(self, path: Path) -> tuple[Path, Image | None, NetworkInput | None, str, Timing]:
        start = time.perf_counter()
        try:
            image = self.preprocess.decode(path)
        except ImageError as error:
            return path, None, None, str(error), Timing(read=time.perf_counter() - start)
        middle = time.perf_counter()
        ready = self.preprocess.prepare(image)
        return path, image, ready, "", Timing(middle - start, time.perf_counter() - middle)

    def _finish(self, ready: NetworkInput) -> tuple[Detections, Timing, npt.NDArray[np.float32]]:
        start = time.perf_counter()
        maps = self.network.run(ready.image[None])
        middle = time.perf_counter()
        detections = self.decoder.decode(maps, [ready.scale])[0]
        return detections, Timing(network=middle - start, postprocess=time.perf_counter() - middle), maps


def find_pictures(place: Path, recursive: bool = False) -> list[Path]:
    """List the pictures that a path stands for, sorted by name.

    Args:
        place: a file (taken whatever its ending is) or a folder.
        recursive: look into folders inside the folder too.

    Raises:
        FileNotFoundError: if there is no such file or folder, or the folder holds no picture.
    """
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise FileNotFoundError(f"Global.infer_img: there is no file or folder {place}")
    found = place.rglob("*") if recursive else place.iterdir()
    pictures = sorted(path for path in found if path.suffix.lower() in PICTURE_SUFFIXES and not path.is_dir())
    if not pictures:
        hint = "" if recursive else "; to look into its subfolders too, add --recursive"
        raise FileNotFoundError(
            f"Global.infer_img: the folder {place} holds no picture "
            f"(endings {', '.join(sorted(PICTURE_SUFFIXES))}){hint}"
        )
    return pictures


def as_bgr(image: Image, img_mode: str) -> Image:
    """Turn a picture of the configuration's channel order into BGR, for drawing and writing."""
    return np.ascontiguousarray(image[:, :, ::-1]) if img_mode == "RGB" else image


Watch = Any
"""A callable that wraps an iterable and shows how far it is, such as ``tqdm``."""
