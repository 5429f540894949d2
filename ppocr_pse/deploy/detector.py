"""The detector as a library: an exported folder in, polygons out, with nothing imported that only training needs."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from ppocr_pse.data.picture_files import find_pictures
from ppocr_pse.deploy.box import box_folder
from ppocr_pse.deploy.devices import find_device
from ppocr_pse.deploy.engines.base import Exported, Place, thread_count
from ppocr_pse.deploy.engines.choose import open_engine
from ppocr_pse.deploy.spec import Overrides, read_spec
from ppocr_pse.engine.pieces import Limits
from ppocr_pse.engine.predictor import Network, Predictor
from ppocr_pse.types import Detections

Image = npt.NDArray[np.uint8]
Picture = Image | str | os.PathLike[str]

NETWORK_BYTES: Mapping[str, int] = MappingProxyType({"MobileNetV3": 600, "ResNet_vd": 1200, "ResNet": 1200})
"""What a network takes for a pixel of its input, by backbone: the most that was measured with the engines of a cpu."""
MOST_LANES = 4
READERS = 2


def open_predictor(
    model_dir: Path | None = None,
    engine: str = "auto",
    device: str = "auto",
    threads: int | None = None,
    overrides: Overrides | None = None,
    lanes: int = 1,
    batch: int = 1,
    memory: int = 0,
    max_pixels: int | None = None,
) -> Predictor:
    """Open an exported network, with all that its inference.yml says.

    Args:
        model_dir: folder made by tools/export_model.py, or by PaddleOCR for PSE; None for the detector in the box.
        engine: ``auto`` for the fastest that works here, or ``paddle``, ``paddle_inference``, ``paddle_tensorrt``,
            ``onnxruntime``, ``openvino``, ``openvino_bf16``.
        device: ``auto`` for an accelerator when there is one, ``cpu``, ``gpu:0``, ``iluvatar_gpu:0``, ...
        threads: on a cpu; None for OMP_NUM_THREADS, else all cores.
        overrides: what is to differ from inference.yml.
        lanes: on a cpu, pictures that go through the network at once; 0 for one a thread, at most 4.
        batch: pictures of one size in one call of the network.
        memory: bytes that decoded pictures and the network may take together; pictures that are too large for it go
            through in tiles. 0 for no limit, and no tiles.
        max_pixels: see DecodeImage; None for what inference.yml has.

    Raises:
        ConfigError: if the folder holds no usable inference.yml, or a value of overrides is out of range.
        EngineError: if no engine, or not the one that is named, can run it here.
        ValueError: if threads is below 1.
    """
    folder = box_folder() if model_dir is None else model_dir
    spec = (overrides or Overrides()).apply(read_spec(folder))
    count = thread_count(threads)
    place = Place(find_device(device, count), count, lanes or min(count, MOST_LANES))
    opened = open_engine(Exported(folder), engine, place, spec.probe)
    preprocess = spec.preprocess
    if max_pixels is not None:
        preprocess = replace(preprocess, decode=replace(preprocess.decode, max_pixels=max_pixels))
    return Predictor(opened, preprocess, spec.decoder, limits=limits_for(memory, opened, batch, spec.architecture))


def limits_for(memory: int, network: Network, batch: int, architecture: Mapping[str, Any]) -> Limits:
    """Limits for a network.

    Args:
        memory: bytes, see `open_predictor`.
        network: runs it.
        batch: pictures or tiles in one call.
        architecture: the Architecture section; empty when it is not known.
    """
    backbone = str((architecture.get("Backbone") or {}).get("name"))
    bytes_a_pixel = NETWORK_BYTES.get(backbone, max(NETWORK_BYTES.values()))
    return Limits(batch, memory, bytes_a_pixel, max(1, getattr(network, "lanes", 0)))


@dataclass(frozen=True)
class Found:
    """What became of one picture.

    Attributes:
        source: its path, ``PATH#page=N`` for one of several pages, or ``array N`` for the Nth picture, from 0, when
            it came as an array.
        image: uint8 (H, W, 3), BGR, or None when it could not be read.
        detections: what was found, or None when it could not be read.
        error: what is wrong with the picture, or "".
    """

    source: str
    image: Image | None
    detections: Detections | None
    error: str = ""


class PictureErrors(ValueError):
    """Some pictures of a list or folder could not be read; nothing that was found in the others is lost.

    Attributes:
        results: one a picture, in order.
    """

    def __init__(self, results: Sequence[Found]) -> None:
        self.results = tuple(results)
        errors = [result.error for result in results if result.error]
        more = f"; and {len(errors) - 3} more" if len(errors) > 3 else ""
        super().__init__(
            f"{len(errors)} of {len(results)} pictures cannot be read (the others are in .results): "
            f"{'; '.join(errors[:3])}{more}"
        )


class Detector:
    """Finds text in pictures with an exported network.

    ```python
    from ppocr_pse import Detector

    found = Detector("inference/det_mv3_pse").detect("street.jpg")
    for polygon, score in zip(found.polygons, found.scores):
        print(polygon.tolist(), float(score))
    ```

    Everything but the network (how pictures are resized, thresholds, ...) is taken from its inference.yml. An object
    serves one thread at a time.

    Args:
        model_dir: folder made by tools/export_model.py, or by PaddleOCR for PSE; None for the detector in the box.
        engine: ``auto`` for the fastest that works here, or ``paddle``, ``paddle_inference``, ``paddle_tensorrt``,
            ``onnxruntime``, ``openvino``, ``openvino_bf16``.
        device: ``auto`` for an accelerator when there is one, ``cpu``, ``gpu:0``, ``iluvatar_gpu:0``, ...
        threads: on a cpu; None for OMP_NUM_THREADS, else all cores.
        overrides: what is to differ from inference.yml.
        lanes: on a cpu, pictures of ``stream`` that go through the network at once, each on its share of the threads:
            more pictures a second, and each takes longer; 0 for one a thread, at most 4.
        memory: bytes, see `open_predictor`; 0 for no limit.

    Raises:
        ConfigError: if the folder holds no usable inference.yml, or a value of overrides is out of range.
        EngineError: if no engine, or not the one that is named, can run it here.
        ValueError: if threads is below 1.
    """

    def __init__(
        self,
        model_dir: str | os.PathLike[str] | None = None,
        engine: str = "auto",
        device: str = "auto",
        threads: int | None = None,
        overrides: Overrides | None = None,
        lanes: int = 1,
        memory: int = 0,
    ) -> None:
        folder = None if model_dir is None else Path(model_dir)
        self.predictor = open_predictor(folder, engine, device, threads, overrides, lanes, memory=memory)
        self.engine = self.predictor.network

    @overload
    def detect(self, pictures: Image) -> Detections: ...

    @overload
    def detect(  # type: ignore[overload-overlap]  # a str is a sequence of str, too
        self, pictures: str | os.PathLike[str]
    ) -> Detections | list[Detections]: ...

    @overload
    def detect(self, pictures: Sequence[Picture]) -> list[Detections]: ...

    def detect(self, pictures: Picture | Sequence[Picture]) -> Detections | list[Detections]:
        """Find the texts of one picture or of many.

        Args:
            pictures: an array uint8 (H, W, 3) in BGR, as ``cv2.imread`` gives it; the path of a picture; the path of
                a folder, whose pictures are taken sorted by name (as `find_pictures` lists them), without its
                subfolders; or a list of arrays and paths.

        Returns:
            Polygons in pixels of the picture (after EXIF rotation) and their scores; a list of them, in order, for a
            list or a folder.

        Raises:
            ImageError: if the one picture cannot be read.
            PictureErrors: if pictures of a list or folder cannot be read; its ``results`` hold what was found in
                the others.
            FileNotFoundError: if the path does not exist, or the folder holds no picture.
            ValueError: for an array of another shape or type.
        """
        if isinstance(pictures, np.ndarray):
            return self.predictor.detect(self._checked(pictures))
        if isinstance(pictures, (str, os.PathLike)):
            files = find_pictures(Path(pictures))
            if files == [Path(pictures)]:
                return self.predictor.detect(self.predictor.preprocess.decode(files[0]))
            pictures = files
        results = list(self.stream(pictures))
        found = [result.detections for result in results if result.detections is not None]
        if len(found) < len(results):
            raise PictureErrors(results)
        return found

    def stream(self, pictures: Iterable[Picture], pages: bool = False) -> Iterator[Found]:
        """Go through pictures in order; one that cannot be read is named in its result and the rest goes on.

        Reading and decoding of files run beside the network, a few files ahead.

        Args:
            pictures: arrays uint8 (H, W, 3) in BGR, and paths of picture files.
            pages: whether each page and frame of a file has a result, or the first only.

        Raises:
            ValueError: for an array of another shape or type.
        """
        numbered = enumerate(pictures)
        for is_array, group in itertools.groupby(numbered, key=lambda entry: isinstance(entry[1], np.ndarray)):
            if is_array:
                for number, array in group:
                    image = self._checked(array)
                    yield Found(f"array {number}", np.asarray(array), self.predictor.detect(image))
            else:
                yield from self._files((Path(path) for _, path in group if not isinstance(path, np.ndarray)), pages)

    def _files(self, paths: Iterable[Path], pages: bool) -> Iterator[Found]:
        for result in self.predictor.stream(paths, READERS, pages):
            found = None if result.image is None or result.error else result.detections
            yield Found(result.name, result.bgr, found, result.error)

    def _checked(self, picture: Picture) -> Image:
        """An array in the channel order that the network wants."""
        array = np.asarray(picture)
        if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
            raise ValueError(f"got an array {array.dtype} {array.shape}, expected uint8 (H, W, 3) in BGR")
        bgr = self.predictor.preprocess.decode.img_mode == "BGR"
        return array if bgr else np.ascontiguousarray(array[:, :, ::-1])
