"""Names for files that belong to one picture: they depend on the list of all pictures alone.

Neither the order of work, nor what a former run did, nor the shard has a say, so a run that is resumed or divided gives
each file the name that it would have had. All names are relative and stay in the folder that they are put into.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from ppocr_pse.data.line_names import page_name, printable

DRAWABLE = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
LONGEST = 255
"""Bytes that a file name may have."""


class OutputNames:
    """Names for the files of a run, the folder tree of its pictures kept.

    Args:
        listing: all picture files of the run, before it is divided or resumed.
        root: folder that the tree starts from; the deepest folder that holds all pictures when None, or when a picture
            lies outside.

    Attributes:
        root: the absolute folder that the tree starts from.
    """

    def __init__(self, listing: Iterable[Path], root: Path | None = None) -> None:
        self._here = os.fspath(Path.cwd())
        paths = sorted({os.fspath(path) for path in listing})  # as text: there may be a million of them
        folders = {os.path.split(self._absolute(path))[0] for path in paths}
        if root is not None:
            folders.add(self._absolute(os.fspath(root)))
        self.root = Path(os.path.commonpath(folders) if folders else self._here)
        self._above = os.path.join(self.root, "")  # noqa: PTH118  with / at its end, once
        self._own: set[str] = set()
        self._folders: set[str] = set()
        self._twins: dict[str, str] = {}  # another way to write the path of a picture that is listed already
        stems: Counter[str] = Counter()
        for path in paths:
            inside = self._inside(path)
            if inside in self._own:
                self._twins[path] = _marked(inside, path)
                continue
            self._own.add(inside)
            stems[_stem(inside)] += 1
            folder = os.path.split(inside)[0]
            while folder and folder not in self._folders:
                self._folders.add(folder)
                folder = os.path.split(folder)[0]
        self._stems = {stem for stem, count in stems.items() if count == 1} - self._own - self._folders

    def inside(self, path: Path) -> str:
        """The picture's place below the root; no two paths of the listing have the same.

        Raises:
            ValueError: if it lies elsewhere, so it is not of the listing.
        """
        return self._inside(os.fspath(path))

    def drawn(self, path: Path, page: int = 0, prefix: str = "") -> Path:
        """Name a picture of the picture: its own when such a format can be written, else ``NAME.gif.png``.

        Pages are ``NAME.tif#page=2.png``.

        Args:
            path: of the picture file.
            page: of the file, from 1; 0 when it holds one picture.
            prefix: what is put before its own name, such as ``det_res_``, after the folders that everything goes to,
                such as ``det_results/``.
        """
        inside = self.inside(path)
        if not page and _ending(inside).lower() in DRAWABLE:
            return _fitting(_after(prefix, _stem(inside)), _ending(inside))
        name = page_name(inside, page)
        taken = f"{name}.png" in self._own or f"{name}.png" in self._folders or (page > 0 and name in self._own)
        return _fitting(_after(prefix, _marked(name, f"{inside}\0{page}") if taken else name), ".png")

    def sidecar(self, path: Path, page: int, suffix: str) -> Path:
        """Name a file, or with the suffix ``""`` a folder, about the picture: ``STEM.txt``.

        ``NAME.jpg.txt`` when another picture in the folder has the same stem; ``STEM#page=2.txt`` for pages.
        """
        inside = self.inside(path)
        stem = _stem(inside)
        name = page_name(stem if stem in self._stems else inside, page)
        taken = name + suffix in self._folders or (page > 0 and (name in self._own or name in self._stems))
        return _fitting(_marked(name, f"{inside}\0{page}") if taken else name, suffix)

    def _inside(self, path: str) -> str:
        if path in self._twins:
            return self._twins[path]
        place = self._absolute(path)
        if not place.startswith(self._above):
            raise ValueError(
                f"{printable(Path(path))}: not among the pictures that names were made for, below {self.root}"
            )
        return place[len(self._above) :]

    def _absolute(self, path: str) -> str:
        """Without ``..``; links are not followed, so that a picture keeps its name when what it links to moves."""
        place = os.path.normpath(path if path.startswith("/") else f"{self._here}/{path}")
        return f"/{place.lstrip('/')}"  # POSIX lets two of them stand


def _stem(inside: str) -> str:
    return os.path.splitext(inside)[0]  # noqa: PTH122


def _ending(inside: str) -> str:
    return os.path.splitext(inside)[1]  # noqa: PTH122


def _after(prefix: str, name: str) -> str:
    """The folders of ``prefix``, those of ``name``, then the rest of both: ``a/b_`` and ``c/d`` give ``a/c/b_d``."""
    folders, _, start = prefix.rpartition("/")
    return os.fspath(Path(folders, Path(name).parent, start + Path(name).name))


def _marked(name: str, by: str) -> str:
    """A name with a mark that tells it from others: 8 digits of the digest of ``by``."""
    return f"{name}~{hashlib.sha256(os.fsencode(by)).hexdigest()[:8]}"


def _fitting(name: str, suffix: str) -> Path:
    """The name with its ending, shortened and marked when a file system would find it too long."""
    folder, last = os.path.split(name)
    if len(os.fsencode(last + suffix)) > LONGEST:
        ending = _marked("", name) + suffix
        last, suffix = os.fsdecode(os.fsencode(last)[: LONGEST - len(os.fsencode(ending))]), ending
    return Path(folder, last + suffix)
