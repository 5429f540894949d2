"""The detector as a library: an exported folder in, polygons out, with nothing imported that only training needs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

from ppocr_pse.data.picture_files import find_pictures
from ppocr_pse.data.preprocess import ImageError
from ppocr_pse.deploy.devices import find_device
from ppocr_pse.deploy.engines.base import Exported, Place, thread_count
from ppocr_pse.deploy.engines.choose import open_engine
from ppocr_pse.deploy.spec import Overrides, read_spec
from ppocr_pse.types import Detections

Image = npt.NDArray[np.uint8]
Picture = Image | str | os.PathLike[str]


@dataclass(frozen=True)
class Found:
    """What became of one picture.

    Attributes:
        source: its path, or ``array N`` for the Nth picture when it came as an array.
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
        model_dir: folder made by tools/export_model.py, or by PaddleOCR for PSE.
        engine: ``auto`` for the fastest that works here, or ``paddle``, ``paddle_inference``, ``paddle_tensorrt``,
            ``onnxruntime``, ``openvino``, ``openvino_bf16``.
        device: ``auto`` for an accelerator when there is one, ``cpu``, ``gpu:0``, ``iluvatar_gpu:0``, ...
        threads: on a cpu; None for OMP_NUM_THREADS, else all cores.
        overrides: what is to differ from inference.yml.

    Raises:
        ConfigError: if the folder holds no usable inference.yml, or a value of overrides is out of range.
        EngineError: if no engine, or not the one that is named, can run it here.
        ValueError: if threads is below 1.
    """

    def __init__(
        self,
        model_dir: str | os.PathLike[str],
        engine: str = "auto",
        device: str = "auto",
        threads: int | None = None,
        overrides: Overrides | None = None,
    ) -> None:
        folder = Path(model_dir)
        self.spec = (overrides or Overrides()).apply(read_spec(folder))
        count = thread_count(threads)
        place = Place(find_device(device, count), count)
        self.engine = open_engine(Exported(folder), engine, place, self.spec.probe)

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
            return self._find(self._read(pictures))
        if isinstance(pictures, (str, os.PathLike)):
            files = find_pictures(Path(pictures))
            if files == [Path(pictures)]:
                return self._find(self._read(files[0]))
            pictures = files
        results = list(self.stream(pictures))
        found = [result.detections for result in results if result.detections is not None]
        if len(found) < len(results):
            raise PictureErrors(results)
        return found

    def stream(self, pictures: Iterable[Picture]) -> Iterator[Found]:
        """Go through pictures in order; one that cannot be read is named in its result and the rest goes on.

        Args:
            pictures: arrays uint8 (H, W, 3) in BGR, and paths of picture files.

        Raises:
            ValueError: for an array of another shape or type.
        """
        for number, picture in enumerate(pictures):
            source = f"array {number}" if isinstance(picture, np.ndarray) else os.fspath(picture)
            try:
                image = self._read(picture)
            except ImageError as error:
                yield Found(source, None, None, str(error))
                continue
            yield Found(source, self._swapped(image), self._find(image))

    def _read(self, picture: Picture) -> Image:
        """A picture in the channel order that the network wants."""
        if not isinstance(picture, np.ndarray):
            return self.spec.preprocess.decode(Path(picture))
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
            raise ValueError(f"got an array {picture.dtype} {picture.shape}, expected uint8 (H, W, 3) in BGR")
        return self._swapped(picture)

    def _swapped(self, image: Image) -> Image:
        """BGR to what the network wants, and back; the same picture when that is BGR."""
        return image if self.spec.preprocess.decode.img_mode == "BGR" else np.ascontiguousarray(image[:, :, ::-1])

    def _find(self, image: Image) -> Detections:
        ready = self.spec.preprocess.prepare(image)
        return self.spec.decoder.decode(self.engine.run(ready.image[None]), [ready.scale])[0]
