"""Where annotations are stored: one file, a folder or a zip; with places for messages and lines decoded one by one."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ppocr_pse.data.labels import LabelError

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Source:
    """One file of annotations.

    Attributes:
        path: inside the folder or archive, with ``/``; the bare name of a single file.
        place: path for messages; members of an archive are ``ARCHIVE.zip/PATH``.
        fetch: gives the content.
    """

    path: str
    place: str
    fetch: Callable[[], bytes]

    @property
    def name(self) -> str:
        """File name without folders."""
        return PurePosixPath(self.path).name

    def content(self) -> bytes:
        """The bytes, without a byte order mark.

        Raises:
            LabelError: if it cannot be read.
        """
        try:
            return self.fetch().removeprefix(BOM)
        except (OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise LabelError(f"{self.place}: cannot read it ({error})") from None

    def lines(self) -> Iterator[tuple[str, bytes]]:
        """``PLACE:NUMBER`` and content of each line that is not blank, without its line end."""
        for number, line in enumerate(self.content().split(b"\n"), 1):
            if line.strip():
                yield f"{self.place}:{number}", line.rstrip(b"\r")


def decode(content: bytes, place: str) -> str:
    """Decode UTF-8.

    Args:
        content: a line or a file.
        place: of the content, for messages.

    Raises:
        LabelError: if it is something else.
    """
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"byte 0x{content[error.start]:02x}"
        raise LabelError(f"{place}: not UTF-8 ({byte}); convert it, for example with iconv") from None


@contextmanager
def open_sources(labels: Path) -> Iterator[list[Source]]:
    """All files of a folder or zip, at any depth, sorted so that 2 comes before 10; or the one file.

    Raises:
        LabelError: if it does not exist or the archive is broken.
    """
    if labels.is_dir():
        files = [
            file for file in labels.rglob("*") if file.is_file() and not _is_litter(file.relative_to(labels).parts)
        ]
        found = [Source(file.relative_to(labels).as_posix(), str(file), file.read_bytes) for file in files]
        yield sorted(found, key=_natural)
    elif labels.is_file() and zipfile.is_zipfile(labels):
        with _open_archive(labels) as archive:
            members = [m for m in archive.infolist() if not m.is_dir() and not _is_litter(m.filename.split("/"))]
            found = [
                Source(member.filename, f"{labels}/{member.filename}", _member_reader(archive, member))
                for member in members
            ]
            yield sorted(found, key=_natural)
    elif labels.is_file():
        if labels.suffix.lower() == ".zip":
            raise LabelError(f"{labels}: not a zip archive, or a truncated one; download it again")
        yield [Source(labels.name, str(labels), labels.read_bytes)]
    else:
        raise LabelError(f"{labels}: no such file or folder; check label_file_list")


def _open_archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise LabelError(f"{path}: a damaged zip archive ({error}); download it again") from None


def _member_reader(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Callable[[], bytes]:
    return lambda: archive.read(member)


def _is_litter(parts: tuple[str, ...] | list[str]) -> bool:
    """Hidden files, such as the ``._NAME`` that macOS puts into archives."""
    return any(part.startswith(".") and part != ".." for part in parts)


def _natural(source: Source) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", source.path)]
