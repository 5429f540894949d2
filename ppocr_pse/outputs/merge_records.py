"""The records in files of results, one after the other: whose they are, where they stand, what they say."""

from __future__ import annotations

import hashlib
import json
import mmap
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ppocr_pse.data.line_names import page_name, read_name
from ppocr_pse.outputs.merge_runs import CROPS, ERRORS, JSON_LINES, LINES

PAGE = re.compile(r"(.+)#page=([1-9][0-9]*)", re.DOTALL)
TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:,"]', re.DOTALL)
BOM = b"\xef\xbb\xbf"
Report = Callable[[str], None]


@dataclass(frozen=True)
class Record:
    """What a file says about one picture.

    Attributes:
        key: the path in an order of bytes that is the order of paths.
        page: which picture of the file, from 1; 0 for the only one, or for all.
        line: where it stands, counted from 1.
        start: its first byte in the file.
        length: in bytes.
        digest: of what it says; equal when it says the same.
        failed: whether it says that the picture could not be used.
    """

    key: bytes
    page: int
    line: int
    start: int
    length: int
    digest: bytes
    failed: bool


@dataclass(frozen=True)
class Element:
    """A value in a JSON object: a member, or one item of a member that is a list.

    Attributes:
        member: the key.
        number: which item, counted from 1; 0 when the member is no list.
        start: its first byte.
        length: in bytes.
    """

    member: str
    number: int
    start: int
    length: int


def order_of(name: str) -> tuple[bytes, int]:
    """Key and page of a picture; sorted by these, paths are in the order of `sorted` and pages in that of numbers."""
    found = PAGE.fullmatch(name)
    path, page = (found[1], int(found[2])) if found else (name, 0)
    return path.replace("/", "\0").encode("utf-8", "surrogatepass"), page


def name_of(key: bytes, page: int) -> str:
    """The name that :func:`order_of` was given."""
    path = key.decode("utf-8", "surrogatepass").replace("\0", "/")
    return f"{path}#page={page}" if page else path


def digest_of(value: Any) -> bytes:
    """16 bytes that stand for a JSON value, whatever the order of its keys and the blanks in it."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode("ascii"), digest_size=16).digest()


def read_records(file: Path, kind: str, report: Report) -> Iterator[Record]:
    """Go through a file of lines, JSON Lines, crops or errors; a line that cannot be used is reported and left out.

    Args:
        file: the file.
        kind: which of the four it is. The crops of a picture, a line each, are one record.
        report: takes messages that start with ``FILE:LINE``.
    """
    parse = {LINES: _parse_line, JSON_LINES: _parse_json, ERRORS: _parse_error, CROPS: _parse_crop}[kind]
    start = 0
    crops: Record | None = None
    with file.open("rb") as stream:
        for number, raw in enumerate(stream, 1):
            line, begin = raw.rstrip(b"\r\n"), start
            start += len(raw)
            if number == 1 and line.startswith(BOM):
                line, begin = line[len(BOM) :], begin + len(BOM)
            if not line.strip():
                continue
            ended = raw.endswith(b"\n")
            try:
                name, value, failed = parse(line.decode("utf-8"))
            except (ValueError, RecursionError) as error:
                shown = line[:60].decode("utf-8", "backslashreplace")
                why = str(error) if ended else "the last line is not whole, the run was stopped while it was written"
                cure = "" if ended else "; resume the run"
                report(f"{file}:{number}: {why}: {shown!r}; left out{cure}")
                continue
            if not ended and kind == ERRORS:
                report(f"{file}:{number}: the last line has no end; the message may be cut off")
            record = Record(*order_of(name), number, begin, len(line), digest_of(value), failed)
            if kind != CROPS:
                yield record
            elif crops is not None and (crops.key, crops.page) == (record.key, record.page):
                whole = digest_of([crops.digest.hex(), record.digest.hex()])
                crops = replace(crops, length=begin + len(line) - crops.start, digest=whole)
            else:
                if crops is not None:
                    yield crops
                crops = record
    if crops is not None:
        yield crops


def read_elements(content: mmap.mmap | bytes) -> Iterator[Element]:
    """Go through a JSON object without loading it.

    Args:
        content: the file. Only its brackets, commas and strings are looked at; elements may still be no JSON.

    Raises:
        ValueError: if it is no object, or its end is missing.
    """
    depth, key, start, number, begun = 0, None, -1, 0, False
    for token in TOKEN.finditer(content):
        mark = content[token.start() : token.start() + 1]
        at = token.start()
        if depth == 0 and mark != b"{":
            raise ValueError("expected one JSON object, {...}")
        if mark == b'"':
            if len(token[0]) == 1:
                raise ValueError("its end is missing, in the middle of a string")
            if depth == 1 and key is None:
                key = json.loads(token[0])
        elif mark in b"{[":
            depth, begun = depth + 1, True
            if depth == 2 and mark == b"[" and key is not None and not content[start:at].strip():
                number, start = 1, token.end()
        elif mark == b":" and depth == 1:
            number, start = 0, token.end()
        elif mark == b"," or mark in b"}]":
            inside = depth == 2 and number > 0
            if (inside or (depth == 1 and number == 0)) and key is not None and content[start:at].strip():
                yield Element(key, number, start, at - start)
            if inside and mark == b",":
                number, start = number + 1, token.end()
            elif depth == 1 and mark == b",":
                key, number = None, 0
            if mark != b",":
                depth -= 1
    if depth or not begun:
        raise ValueError("its end is missing" if depth else "expected one JSON object, {...}")


def _parse_line(line: str) -> tuple[str, Any, bool]:
    name, tab, texts = line.partition("\t")
    if not tab or not name.strip():
        raise ValueError("expected PATH<TAB>[...]")
    value = _load(texts)
    if not isinstance(value, list):
        raise ValueError("expected PATH<TAB>[...] with a JSON list")
    return read_name(name), value, False


def _parse_json(line: str) -> tuple[str, Any, bool]:
    value = _load(line)
    if not isinstance(value, dict):
        raise ValueError("expected a JSON object")
    name, page = value.get("file"), value.get("page", 0)
    if not isinstance(name, str) or not name or not isinstance(page, int):
        raise ValueError('expected the picture\'s path under "file" and a number under "page"')
    return page_name(name, page), value, "error" in value


def _parse_error(line: str) -> tuple[str, Any, bool]:
    name, tab, message = line.partition("\t")
    if not tab or not name.strip():
        raise ValueError("expected PATH<TAB>what is wrong")
    return read_name(name), message, True


def _parse_crop(line: str) -> tuple[str, Any, bool]:
    fields = line.split("\t")
    if len(fields) != 5 or not fields[2].strip():
        raise ValueError("expected PATH<TAB>text<TAB>picture<TAB>points<TAB>score")
    return read_name(fields[2]), fields, False


def _load(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON ({error.msg} at character {error.pos})") from None
