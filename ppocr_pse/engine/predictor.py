"""Pictures to detections: read, preprocess, network, post-process, each timed apart; a bad picture is named."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt
import paddle

from ppocr_pse.data.line_names import page_name, written_name
from ppocr_pse.data.loader import ordered_map
from ppocr_pse.data.pictures import Frame
from ppocr_pse.data.preprocess import Image, ImageError, NetworkInput, Preprocess
from ppocr_pse.types import Detections, ImageScale


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
    """One picture of a stream: detections, an error, or both.

    Attributes:
        path: as it was given.
        image: uint8 (H, W, 3) in the channel order of the configuration, or None.
        detections: what was found; nothing when there is an error.
        error: what is wrong with the picture, or ""; a picture that lacks its end has an image and detections as well.
        timing: seconds a stage.
        logits: float32 (K, h, w) of the network, or None when the predictor does not keep them.
        scale: how the picture was resized for the network, or None when there is no image.
        page: which picture of the file, from 1, or 0 when the file holds one.
    """

    path: Path
    image: Image | None
    detections: Detections
    error: str
    timing: Timing
    logits: npt.NDArray[np.float32] | None = None
    scale: ImageScale | None = None
    page: int = 0

    @property
    def name(self) -> str:
        """The path, or ``PATH#page=N`` for one of several pictures of a file."""
        return page_name(self.path, self.page)


NOTHING = Detections((), np.zeros(0, np.float32))


@dataclass(frozen=True)
class _Read:
    """A picture as the reader threads hand it over; the fields are those of PictureResult."""

    image: Image | None
    ready: NetworkInput | None
    error: str
    timing: Timing
    page: int = 0


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

    def stream(self, paths: Iterable[Path], workers: int = 1, pages: bool = False) -> Iterator[PictureResult]:
        """Go through picture files in order; reading and preprocessing run ahead in threads.

        Args:
            paths: picture files.
            workers: reader threads; 0 reads in this thread.
            pages: whether all pages and frames of a file are looked at, or the first only. Those behind the first
                are read one by one in this thread.
        """
        for path, first, rest in ordered_map(lambda path: self._open(path, pages), paths, workers):
            yield self._detect(path, first)
            for one in rest:
                yield self._detect(path, one)

    def _detect(self, path: Path, read: _Read) -> PictureResult:
        if read.image is None or read.ready is None:
            return PictureResult(path, None, NOTHING, read.error, read.timing, page=read.page)
        detections, timing, maps = self._finish(read.ready)
        logits = maps[0] if self.keep_logits else None
        return PictureResult(
            path, read.image, detections, read.error, read.timing + timing, logits, read.ready.scale, read.page
        )

    def _open(self, path: Path, pages: bool) -> tuple[Path, _Read, Iterator[_Read]]:
        """The first picture of a file, and an iterator over the others."""
        every = self._read(path, pages)
        return path, next(every), every

    def _only(self, path: Path) -> Iterator[Frame]:
        yield Frame(1, True, self.preprocess.decode(path))

    def _read(self, path: Path, pages: bool) -> Iterator[_Read]:
        frames = self.preprocess.decode.frames(path) if pages else self._only(path)
        while True:
            start = time.perf_counter()
            try:
                frame = next(frames)
            except StopIteration:
                return
            except ImageError as error:
                yield _Read(None, None, str(error), Timing(read=time.perf_counter() - start))
                return
            middle = time.perf_counter()
            page = 0 if frame.single else frame.number
            try:
                ready = None if frame.pixels is None else self.preprocess.prepare(frame.pixels)
            except (cv2.error, MemoryError) as error:
                what = f"{written_name(page_name(path, page))}: cannot resize the picture ({type(error).__name__})"
                yield _Read(None, None, what, Timing(middle - start), page)
                continue
            timing = Timing(middle - start, time.perf_counter() - middle)
            yield _Read(frame.pixels, ready, frame.error, timing, page)

    def _finish(self, ready: NetworkInput) -> tuple[Detections, Timing, npt.NDArray[np.float32]]:
        start = time.perf_counter()
        maps = self.network.run(ready.image[None])
        middle = time.perf_counter()
        detections = self.decoder.decode(maps, [ready.scale])[0]
        return detections, Timing(network=middle - start, postprocess=time.perf_counter() - middle), maps


def as_bgr(image: Image, img_mode: str) -> Image:
    """Turn a picture of the configuration's channel order into BGR, for drawing and writing."""
    return np.ascontiguousarray(image[:, :, ::-1]) if img_mode == "RGB" else image


Watch = Any
"""A callable that wraps an iterable and shows how far it is, such as ``tqdm``."""
