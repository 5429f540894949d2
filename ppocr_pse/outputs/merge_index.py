"""Where the records of many files stand, in a database on disk: what is in memory does not grow with the pictures."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ppocr_pse.outputs.merge_records import Record

CACHE = 64 * 2**20
HANDLES = 64
TABLES = """
create table records (
    kind integer, key blob, page integer, run integer, line integer, begin integer, length integer, digest blob,
    failed integer, primary key (kind, key, page, run, line)) without rowid;
create table texts (
    kind integer, run integer, picture text, begin integer, length integer, primary key (kind, run, picture, begin)
) without rowid;
create table ids (kind integer, run integer, picture text, primary key (kind, run, picture)) without rowid;
"""
# a run failed on a picture when its errors say so, of the picture itself or of the whole file
CHOICES = """
select key, page, run, line, begin, length, digest, failed or exists (
    select 1 from records e where e.kind = 0 and e.key = r.key and e.page in (0, r.page) and e.run = r.run) as dirty
from records r where kind = ? order by key, page
"""
DONE_BY_OTHERS = """
select 1 from records r where kind = ? and key = ? and (page = ? or ? = 0) and run != ? and not failed and not exists (
    select 1 from records e where e.kind = 0 and e.key = r.key and e.page in (0, r.page) and e.run = r.run) limit 1
"""


class Place(NamedTuple):
    """What one run says about a picture, and where; sorted, the one to be taken comes first.

    Attributes:
        dirty: whether the run had an error with the picture.
        run: number of the run.
        line: where it stands in the run's file.
        start: its first byte.
        length: in bytes.
        digest: of what it says; empty when that is not known yet.
    """

    dirty: int
    run: int
    line: int
    start: int
    length: int
    digest: bytes


class Index:
    """Records by kind and picture. Kinds are numbers, 0 is the errors.

    Args:
        file: for the database, which must not exist.
    """

    def __init__(self, file: Path) -> None:
        self._base = sqlite3.connect(file, isolation_level=None)
        for setting in ("journal_mode = off", "synchronous = off", "locking_mode = exclusive"):
            self._base.execute(f"pragma {setting}")
        self._base.execute(f"pragma cache_size = -{CACHE // 1024}")
        self._base.executescript(TABLES)
        self._base.execute("begin")

    def add(self, kind: int, run: int, record: Record) -> None:
        """Take note of a record."""
        values = (kind, record.key, record.page, run, record.line, record.start, record.length, record.digest)
        self._base.execute("insert into records values (?,?,?,?,?,?,?,?,?)", (*values, record.failed))

    def add_id(self, kind: int, run: int, picture: str) -> None:
        """Take note of the number that a document gives a picture.

        Raises:
            ValueError: if it gave it to another, too.
        """
        try:
            self._base.execute("insert into ids values (?,?,?)", (kind, run, picture))
        except sqlite3.IntegrityError:
            raise ValueError(f"two images have the id {picture}") from None

    def strays(self, kind: int, run: int) -> list[str]:
        """Numbers of pictures that texts name and no picture has."""
        rows = self._base.execute(
            "select distinct picture from texts t where kind = ? and run = ? and not exists (select 1 from ids i "
            "where i.kind = t.kind and i.run = t.run and i.picture = t.picture)",
            (kind, run),
        )
        return [row[0] for row in rows]

    def forget(self, kind: int, run: int) -> None:
        """Drop what was noted of one file."""
        for table in ("records", "texts", "ids"):
            self._base.execute(f"delete from {table} where kind = ? and run = ?", (kind, run))

    def add_text(self, kind: int, run: int, picture: str, start: int, length: int) -> None:
        """Take note of where a text of a picture stands; the picture by the number that its file gives it."""
        self._base.execute("insert into texts values (?,?,?,?,?)", (kind, run, picture, start, length))

    def pictures(self, kind: int) -> Iterator[tuple[bytes, int, list[Place]]]:
        """Key, page and what the runs say, in the order of the pictures."""
        rows = self._base.execute(CHOICES, (kind,))
        for (key, page), group in groupby(rows, key=lambda row: (row[0], row[1])):
            yield key, page, sorted(Place(row[7], *row[2:7]) for row in group)

    def texts(self, kind: int, run: int, picture: str) -> list[tuple[int, int]]:
        """Start and length of each text of a picture."""
        return self._base.execute(
            "select begin, length from texts where kind = ? and run = ? and picture = ? order by begin",
            (kind, run, picture),
        ).fetchall()

    def done_by_others(self, kinds: list[int], key: bytes, page: int, run: int) -> bool:
        """Whether another run than ``run`` did the picture, or with page 0 the file, without an error."""
        return any(self._base.execute(DONE_BY_OTHERS, (kind, key, page, page, run)).fetchone() for kind in kinds)

    def close(self) -> None:
        """Close the file."""
        self._base.close()


class Slices:
    """Reads parts of many files, of which it keeps a few open."""

    def __init__(self) -> None:
        self._open: dict[Path, BinaryIO] = {}

    def read(self, file: Path, start: int, length: int) -> bytes:
        """Read ``length`` bytes from ``start`` on.

        Raises:
            OSError: if the file cannot be read, or became shorter.
        """
        stream = self._open.get(file)
        if stream is None:
            if len(self._open) >= HANDLES:
                self._open.pop(next(iter(self._open))).close()
            stream = self._open[file] = file.open("rb")
        stream.seek(start)
        content = stream.read(length)
        if len(content) < length:
            raise OSError(f"{file}: became shorter while it was read; is its run still going on?")
        return content

    def close(self) -> None:
        """Close all files."""
        for stream in self._open.values():
            stream.close()
        self._open.clear()
