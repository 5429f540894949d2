"""Pictures to detections: read, preprocess, network, post-process, each timed apart; a bad picture is named."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ppocr_pse.data.line_names import page_name
from ppocr_pse.data.pictures import Frame
from ppocr_pse.data.preprocess import Image, ImageError, Preprocess
from ppocr_pse.engine.pieces import NO_LIMITS, Limits, Piece, PieceReader, Timing
from ppocr_pse.engine.pipeline import Pipeline
from ppocr_pse.engine.tiling import Tile
from ppocr_pse.types import Detections, ImageScale


class Network(Protocol):
    """What runs the network: a layer of Paddle or an inference engine.

    It may say by an attribute ``lanes`` from how many threads at once it may be called; without it, or with 0, it is
    called from the thread that asks for results.
    """

    def run(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Map float32 (B, 3, H, W) to logits float32 (B, K, h, w)."""
        ...


class Decoder(Protocol):
    """What turns logits into detections."""

    def decode(self, maps: npt.NDArray[np.float32], scales: Sequence[ImageScale]) -> list[Detections]:
        """Map logits (B, K, h, w) and one scale a picture to one result a picture."""
        ...


@dataclass(frozen=True)
class PictureResult:
    """One picture of a stream: detections, an error, or both.

    Attributes:
        path: as it was given.
        image: uint8 (H, W, 3) in the channel order of the configuration, or None.
        detections: what was found; nothing when there is no image.
        error: what is wrong with the picture, or ""; a picture that lacks its end has an image and detections as well.
        timing: seconds a stage.
        logits: float32 (K, h, w) of the network, or None when the predictor does not keep them.
        scale: how the picture was resized for the network, or None when there is no image.
        page: which picture of the file, from 1, or 0 when the file holds one.
        img_mode: channel order of the image, ``BGR`` or ``RGB``.
    """

    path: Path
    image: Image | None
    detections: Detections
    error: str
    timing: Timing
    logits: npt.NDArray[np.float32] | None = None
    scale: ImageScale | None = None
    page: int = 0
    img_mode: str = "BGR"

    @property
    def name(self) -> str:
        """The path, or ``PATH#page=N`` for one of several pictures of a file."""
        return page_name(self.path, self.page)

    @property
    def bgr(self) -> Image | None:
        """The image in BGR, for drawing and writing."""
        if self.image is None or self.img_mode == "BGR":
            return self.image
        return np.ascontiguousarray(self.image[:, :, ::-1])


NOTHING = Detections((), np.zeros(0, np.float32))
Finish = Callable[[PictureResult], PictureResult]


def same(result: PictureResult) -> PictureResult:
    """Leave a result as it is."""
    return result


@dataclass(frozen=True)
class Part:
    """What was found in a piece; the network's input is given back by then.

    Attributes:
        path: as that of the piece, like frame, tile and error.
        frame: see Piece.
        tile: see Piece.
        error: see Piece.
        scale: how the piece was resized; None when it did not go through the network.
        detections: in pixels of the source picture, or as `Tile.scale` says.
        timing: seconds a stage.
        logits: float32 (K, h, w), when they are kept.
    """

    path: Path
    frame: Frame | None
    tile: Tile | None
    error: str
    scale: ImageScale | None
    detections: Detections
    timing: Timing
    logits: npt.NDArray[np.float32] | None = None


class Predictor:
    """The whole way from a picture to polygons.

    Args:
        network: runs the model.
        preprocess: decode, resize, normalise.
        decoder: logits to detections.
        keep_logits: hand the logits of each picture on in ``stream``, for reports and for tuning the decoder; no
            picture goes through the network in tiles then.
        limits: on memory and batches.
    """

    def __init__(
        self,
        network: Network,
        preprocess: Preprocess,
        decoder: Decoder,
        keep_logits: bool = False,
        limits: Limits = NO_LIMITS,
    ) -> None:
        self.network = network
        self.preprocess = preprocess
        self.decoder = decoder
        self.keep_logits = keep_logits
        self.limits = limits

    @property
    def reader(self) -> PieceReader:
        """What reads files, by the preprocessing and limits as they are now."""
        return PieceReader(self.preprocess, replace(self.limits, memory=0) if self.keep_logits else self.limits)

    def detect(self, image: Image) -> Detections:
        """Find the texts of one decoded picture, uint8 (H, W, 3) in the channel order of the configuration.

        Raises:
            ImageError: if it would be too large for the network.
        """
        pieces = self.reader.cut(Path("picture"), Frame(1, True, image))
        found = self.assemble([self._run(piece) for piece in pieces])
        if found.error:
            raise ImageError(found.error)
        return found.detections

    def stream(
        self, paths: Iterable[Path], workers: int = 1, pages: bool = False, finish: Finish = same
    ) -> Iterator[PictureResult]:
        """Go through picture files in order; reading, network, decoding and ``finish`` overlap.

        Args:
            paths: picture files.
            workers: threads that read, decode and finish; 0 does everything in this thread, one picture at a time.
            pages: whether all pages and frames of a file are looked at, or the first only.
            finish: is called once for each result, from several threads; the stream gives what it returns.
        """
        if workers > 0:
            yield from Pipeline(self, finish, workers, pages).run(paths)
            return
        for path in paths:
            parts: list[Part] = []
            for piece in self.reader.read(path, pages):
                parts.append(self._run(piece))
                if piece.last:
                    yield finish(self.assemble(parts))
                    parts = []

    def _run(self, piece: Piece) -> Part:
        start = time.perf_counter()
        maps = self.infer([piece])[0] if piece.ready else None
        return self.decode(piece, maps, time.perf_counter() - start)

    def infer(self, pieces: Sequence[Piece]) -> npt.NDArray[np.float32]:
        """Run the network on pieces of one size; logits float32 (len(pieces), K, h, w)."""
        images = [piece.ready.image for piece in pieces if piece.ready]
        return self.network.run(images[0][None] if len(images) == 1 else np.stack(images))

    def decode(self, piece: Piece, maps: npt.NDArray[np.float32] | None, seconds: float) -> Part:
        """Find the texts of a piece.

        Args:
            piece: the piece.
            maps: its logits float32 (K, h, w); None when it did not go through the network.
            seconds: that the network took.
        """
        start = time.perf_counter()
        if maps is None or piece.ready is None:
            return Part(piece.path, piece.frame, piece.tile, piece.error, None, NOTHING, piece.timing)
        scale = piece.ready.scale
        found = self.decoder.decode(maps[None], [scale])[0]
        timing = piece.timing + Timing(network=seconds, postprocess=time.perf_counter() - start)
        kept = maps if self.keep_logits else None
        return Part(piece.path, piece.frame, piece.tile, piece.error, scale, found, timing, kept)

    def assemble(self, parts: Sequence[Part]) -> PictureResult:
        """Put the parts of one picture together, in any order."""
        one = parts[0]
        error = next((part.error for part in parts if part.error), "")
        timing = sum((part.timing for part in parts), Timing())
        page = 0 if one.frame is None or one.frame.single else one.frame.number
        if one.frame is None or any(part.scale is None for part in parts):
            return PictureResult(one.path, None, NOTHING, error, timing, page=page)
        found, scale = one.detections, one.scale
        if one.tile:
            from ppocr_pse.engine.joining import join  # shapely takes time to import, and few pictures need it

            start = time.perf_counter()
            found = join([(part.tile, part.detections) for part in parts if part.tile])
            scale = one.tile.whole
            timing += Timing(postprocess=time.perf_counter() - start)
        mode = self.preprocess.decode.img_mode
        return PictureResult(one.path, one.frame.pixels, found, error, timing, one.logits, scale, page, mode)
