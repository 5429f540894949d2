"""Find the picture that an annotation file is named after."""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from ppocr_pse.data.labels import LabelError

SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp")


class PictureFolder:
    """Pictures by their names without endings: those of a folder, then those of its direct subfolders.

    Each is listed once, when it is first needed.

    Args:
        data_dir: the folder; it need not exist.

    Raises:
        LabelError: if it is a file.
    """

    def __init__(self, data_dir: Path) -> None:
        if data_dir.is_file():
            cure = (
                "unpack it, or let `ppocr-pse convert-dataset --copy-images DIR` do so"
                if zipfile.is_zipfile(data_dir)
                else "name the folder of the pictures"
            )
            raise LabelError(f"{data_dir}: data_dir is a file, expected a folder of pictures; {cure}")
        self.data_dir = data_dir

    def find(self, stem: str, suffix: str = ".jpg") -> Path:
        """The picture with this name, whatever its ending.

        Args:
            stem: its name without an ending.
            suffix: ending to assume when there is no such picture (which is reported when the labels are used).

        Raises:
            LabelError: if several could be meant.
        """
        found = self._direct.get(stem) or self._below.get(stem) or []
        if len(found) > 1:  # a GIF beside its converted copy is no second picture
            found = [path for path in found if path.suffix.lower() != ".gif"] or found
        if len(found) > 1:
            listed = ", ".join(str(path.relative_to(self.data_dir)) for path in found)
            raise LabelError(f"{len(found)} pictures in {self.data_dir} could be meant: {listed}; keep one")
        return found[0] if found else self.data_dir / f"{stem}{suffix}"

    @cached_property
    def _direct(self) -> dict[str, list[Path]]:
        return _by_stem([self.data_dir])

    @cached_property
    def _below(self) -> dict[str, list[Path]]:
        if not self.data_dir.is_dir():
            return {}
        return _by_stem(sorted(path for path in self.data_dir.iterdir() if path.is_dir()))


def _by_stem(folders: Iterable[Path]) -> dict[str, list[Path]]:
    found = defaultdict(list)
    for folder in folders:
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                if path.suffix.lower() in SUFFIXES:
                    found[path.stem].append(path)
    return dict(found)


def first_existing(candidates: Iterable[Path]) -> Path:
    """The first path at which there is a file; the first of all when there is none."""
    paths = list(candidates)
    return next((path for path in paths if path.is_file()), paths[0])
