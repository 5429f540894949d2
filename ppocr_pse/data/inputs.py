"""The pictures of a run: what is named on the command line and in lists, each once, and of a shard its own."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ppocr_pse.data.line_names import printable, read_name
from ppocr_pse.data.picture_files import find_pictures, folder_of
from ppocr_pse.data.shards import Shard

PAGE = re.compile(r"#page=[0-9]+\Z")
STANDARD_INPUT = "-"


class ListError(ValueError):
    """A list of names that cannot be read; the message says which, where and the cure."""


@dataclass(frozen=True)
class Listing:
    """The pictures of a run.

    Attributes:
        paths: as they were named, or as they lie below the folder that was named; of a shard only its own.
        everything: the pictures of all shards, and those of lists that are not there.
        root: absolute; the folder that was named, or the deepest one that holds everything that was named.
        missing: (name, what is wrong) for what was named and is not there.
    """

    paths: tuple[Path, ...]
    everything: tuple[Path, ...]
    root: Path
    missing: tuple[tuple[str, str], ...]


def list_pictures(
    places: Iterable[Path],
    lists: Iterable[str] = (),
    recursive: bool = False,
    null: bool = False,
    shard: Shard | None = None,
    skip: Callable[[str], bool] = lambda place: False,
) -> Listing:
    """List the pictures of a run in the order in which they are named, those of a folder sorted by name.

    A picture's shard is decided by its path as it was named, in a list too, or by its path below the folder that was
    named (of several: below the deepest one that holds them all), so that machines may see that folder at different
    places.

    Args:
        places: files, folders and patterns, see `find_pictures`.
        lists: files of names, see `read_list`; ``-`` is standard input.
        recursive: look into folders inside folders.
        null: whether NUL is between the names of lists.
        shard: the part that is wanted; None for all.
        skip: says of an absolute path that it is no input.

    Raises:
        ListError: if a list cannot be read.
    """
    given = [(place, folder_of(place)) for place in places]
    base = _common(_absolute(folder) for _, folder in given if folder is not None)
    taken = _Taken(shard, skip)
    roots: set[str] = set()
    for place, folder in given:
        roots.add(_absolute(place.parent if folder is None else folder))
        try:
            for path in find_pictures(place, recursive):
                taken.add(path, os.path.normpath(path) if folder is None else os.path.relpath(path, base))
        except FileNotFoundError as error:
            taken.missing.append((os.fspath(place), str(error)))
    for source in lists:
        empty = True
        for name in read_list(source, null):
            empty = False
            taken.add(Path(name), os.path.normpath(name), look=True)
            roots.add(taken.last.rpartition(os.sep)[0] or os.sep)
        if empty:
            taken.missing.append((source, f"the list {_title(source)} names no picture"))
    return Listing(tuple(taken.paths), tuple(taken.everything), Path(_common(roots)), tuple(taken.missing))


@dataclass
class _Taken:
    """The pictures so far."""

    shard: Shard | None
    skip: Callable[[str], bool]
    last: str = ""
    """Absolute path of the latest."""
    paths: list[Path] = field(default_factory=list)
    everything: list[Path] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def add(self, path: Path, key: str, look: bool = False) -> None:
        """Take a picture unless it was taken before; ``look`` whether it is there, if it belongs to this shard."""
        self.last = _absolute(path)
        if self.last in self.seen or self.skip(self.last):
            return
        self.seen.add(self.last)
        self.everything.append(path)
        if self.shard is not None and not self.shard.holds(key):
            return
        if look and not os.path.lexists(path):
            self.missing.append((os.fspath(path), f"there is no file {printable(path)}"))
        else:
            self.paths.append(path)


def read_list(source: str, null: bool = False) -> Iterator[str]:
    """Read names from a file, one a line: bare, or the first field of PaddleOCR's label and results lines.

    Names that begin with a quote are read as `ppocr_pse.data.line_names` writes them; ``#page=N`` is taken off a name
    unless there is such a file. Empty lines, CRLF and a byte order mark are fine, and so are bytes that are no UTF-8.

    Args:
        source: a path (names in it are relative to the working directory), or ``-`` for standard input.
        null: names have NUL between them, as ``find -print0`` writes them, and are taken as they are.

    Raises:
        ListError: if it cannot be read, or its separator is the other one.
    """
    if source == STANDARD_INPUT and sys.stdin is None:
        raise ListError("cannot read the list from standard input (it is closed)")
    try:
        content = sys.stdin.buffer.read() if source == STANDARD_INPUT else Path(source).read_bytes()
    except OSError as error:
        raise ListError(f"cannot read the list {_title(source)} ({error.strerror})") from None
    if null:
        if b"\0" not in content and b"\n" in content:
            raise ListError(f"{_title(source)}: line breaks, and no NUL, between the names; leave out -0")
        yield from (os.fsdecode(name) for name in content.split(b"\0") if name)
        return
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if b"\0" in raw:
            raise ListError(f"{_title(source)}:{number}: a NUL byte: no list, or one of `find -print0`, which needs -0")
        name = raw.removesuffix(b"\r").partition(b"\t")[0]
        if name.strip():
            yield _without_page(read_name(name.decode("utf-8", "surrogateescape")))


def _title(source: str) -> str:
    return "from standard input" if source == STANDARD_INPUT else printable(Path(source))


def _without_page(name: str) -> str:
    return PAGE.sub("", name) if PAGE.search(name) and not os.path.lexists(name) else name


def _absolute(path: Path) -> str:
    text = os.fspath(path)
    return os.path.normpath(text if text.startswith(os.sep) else f"{os.getcwd()}{os.sep}{text}")  # noqa: PTH109  # fast


def _common(folders: Iterable[str]) -> str:
    different = set(folders)
    return os.path.commonpath(different) if different else os.fspath(Path.cwd())
