"""Picture files: do they exist, are they whole, can they be decoded, are they turned?"""

from __future__ import annotations

import hashlib
import struct
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from ppocr_pse.data.preprocess import DecodeImage, ImageError

TURNS = (5, 6, 7, 8)  # EXIF orientations that swap width and height


@dataclass(frozen=True)
class PictureFacts:
    """What looking at a picture file gave.

    Attributes:
        size: (height, width) as training sees it; None when it cannot be decoded.
        fault: (kind, message) of what keeps training from using it.
        orientation: EXIF's number, 1 when it says nothing.
        digest: of the file's bytes; b"" when it cannot be read.
        suggestion: the file that was probably meant, when this one does not exist.
    """

    size: tuple[int, int] | None = None
    fault: tuple[str, str] | None = None
    orientation: int = 1
    digest: bytes = b""
    suggestion: Path | None = None

    @property
    def absent(self) -> bool:
        """Whether there is no such file."""
        return self.fault is not None and self.fault[0] in ("missing", "name-case", "backslash")


class FolderIndex:
    """Names of the files in folders, so that a name in another case or Unicode form is found."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, str]] = {}

    def spelled(self, path: Path) -> Path | None:
        """The existing path that equals this one but for case or Unicode form; None when there is none."""
        found = Path(path.anchor)
        for part in path.parts[1 if path.anchor else 0 :]:
            if not (found / part).exists():
                part = self._names(found).get(_same(part), "")
                if not part:
                    return None
            found = found / part
        return found

    def _names(self, folder: Path) -> dict[str, str]:
        if folder not in self._folders:
            try:
                self._folders[folder] = {_same(entry.name): entry.name for entry in folder.iterdir()}
            except OSError:
                self._folders[folder] = {}
        return self._folders[folder]


def _same(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def look_at_picture(path: Path, decode: DecodeImage, index: FolderIndex) -> PictureFacts:
    """Decode a picture as training does (a JPEG at an eighth of its size: all its data are read all the same).

    Args:
        path: as training would open it.
        decode: training's operation.
        index: used when the file is not there; shared between threads.
    """
    if not path.is_file():
        return _missing(path, index)
    try:
        content = path.read_bytes()
    except OSError as error:
        return PictureFacts(fault=("unreadable", f"cannot read {path} ({error.strerror})"))
    if not content:
        return PictureFacts(fault=("empty-picture", f"{path} has 0 bytes"))
    digest = hashlib.blake2b(content, digest_size=16).digest()
    cut = ends_early(content)
    fault = None
    try:
        size = decode.read(path, lambda height, width: 8).size
    except (ImageError, MemoryError) as error:
        if cut:
            fault = ("truncated", f"{path} ends after {len(content)} bytes, before the picture does; copy it again")
        else:
            fault = ("unreadable", str(error) or f"{path}: not enough memory")
        return PictureFacts(fault=fault, digest=digest)
    if cut:
        fault = ("truncated", f"{path} ends after {len(content)} bytes, before the picture does; the rest is filled up")
    return PictureFacts(size, fault, exif_orientation(content), digest)


def _missing(path: Path, index: FolderIndex) -> PictureFacts:
    if path.is_dir():
        return PictureFacts(fault=("missing", f"{path} is a folder, not a picture"))
    trimmed = Path(*(part.strip() or part for part in path.parts))
    if trimmed != path and trimmed.is_file():
        message = f"no picture at {str(path)!r}, but {trimmed.name} is there: the path has blanks too many"
        return PictureFacts(fault=("missing", message), suggestion=trimmed)
    if "\\" in str(path):
        meant = Path(str(path).replace("\\", "/"))
        meant = meant if meant.is_file() else index.spelled(meant) or meant
        there = f"; {meant} exists" if meant.is_file() else f" ({meant} does not exist either)"
        message = f"the path holds backslashes, which are no separators here: no picture at {path}{there}; write /"
        return PictureFacts(fault=("backslash", message), suggestion=meant if meant.is_file() else None)
    spelled = index.spelled(path)
    if spelled is not None and spelled.is_file():
        message = f"no picture at {path}, but {spelled.name} is there: only case or Unicode form differ"
        if spelled.name == path.name:
            message = f"no picture at {path}, but {spelled} is there: only case or Unicode form differ"
        return PictureFacts(fault=("name-case", message), suggestion=spelled)
    return PictureFacts(fault=("missing", f"no picture at {path}"))


def ends_early(content: bytes) -> bool:
    """Whether a JPEG or PNG file lacks its end."""
    if content[:2] == b"\xff\xd8":
        scan = content.find(b"\xff\xda")
        return scan < 0 or content.find(b"\xff\xd9", scan) < 0
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        return b"IEND" not in content[-4096:] and b"IEND" not in content
    return False


def exif_orientation(content: bytes) -> int:
    """The orientation (1 to 8) that a JPEG file's EXIF part gives; 1 when there is none."""
    at = 2
    while content[:2] == b"\xff\xd8" and at + 4 <= len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if marker == 0xDA:
            break
        if marker == 0xE1 and content[at + 4 : at + 10] == b"Exif\0\0":
            return _orientation(content[at + 10 : at + 2 + length])
        at += 2 + length
    return 1


def _orientation(tiff: bytes) -> int:
    """Entry 0x0112 of the first directory of a TIFF structure (TIFF 6.0, section 2)."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for i in range(count):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, start + 2 + 12 * i)
            if tag == 0x0112 and kind == 3 and 1 <= value <= 8:
                return int(value)
    except struct.error:
        pass
    return 1
