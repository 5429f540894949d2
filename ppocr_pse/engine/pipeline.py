"""Reading, network, decoding and what follows, all at once: in order, with bounded memory, like sizes together.

Threads of two kinds share the work. Workers read the next piece of a file, decode logits and finish pictures; lanes run
the network on the piece that waits longest, together with others of its size. A network that may be called from one
thread only has no lanes: it runs in the thread that asks for results. What takes long lets the interpreter's lock go.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ppocr_pse.data.decoding.files import peek_pixels
from ppocr_pse.engine.pieces import PICTURE_BYTES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ppocr_pse.engine.predictor import Part, PictureResult, Piece, Predictor


@dataclass(eq=False)
class _Page:
    """One picture: its parts as they are decoded, and in the end its result."""

    parts: list[Part] = field(default_factory=list)
    pieces: int = 0
    all_read: bool = False
    result: PictureResult | None = None


@dataclass(eq=False)
class _File:
    """One file: the pieces still to be read, and pages that are not handed out yet.

    Attributes:
        pieces: reads on with each ``next``; used by one worker at a time.
        bytes: what its first picture may take in memory.
        reading: whether a worker is reading it.
        exhausted: whether there is nothing left to read.
        inside: pieces that are read and not decoded yet.
        pages: in order.
    """

    pieces: Iterator[Piece]
    bytes: int
    reading: bool = False
    exhausted: bool = False
    inside: int = 0
    pages: deque[_Page] = field(default_factory=deque)


class Pipeline:
    """One run over files.

    Args:
        predictor: what is done at each stage, and its limits.
        finish: is called with each result by a worker, and gives what is handed out.
        workers: threads, 1 or more.
        pages: whether all pages of a file are read.
    """

    def __init__(
        self, predictor: Predictor, finish: Callable[[PictureResult], PictureResult], workers: int, pages: bool
    ) -> None:
        self._predictor = predictor
        self._reader = predictor.reader
        self._finish = finish
        self._pages = pages
        self._lanes = getattr(predictor.network, "lanes", 0)
        self._batch = max(1, predictor.limits.batch)
        self._enough = max(1, self._lanes) * self._batch
        self._ahead = 2 * (workers + self._enough)
        self._pool = ThreadPoolExecutor(workers, "ppocr-worker")
        self._changed = threading.Condition()
        self._files: deque[_File] = deque()
        self._waiting: deque[tuple[_File, _Page, Piece]] = deque()
        self._running = 0  # pixels that are in the network
        self._fault: BaseException | None = None
        self._closed = False

    def run(self, paths: Iterable[Path]) -> Iterator[PictureResult]:
        """Go through files; results in their order. What a stage raises ends it.

        Args:
            paths: taken lazily.
        """
        threads = [threading.Thread(target=self._lane, name=f"ppocr-lane-{i}", daemon=True) for i in range(self._lanes)]
        for thread in threads:
            thread.start()
        try:
            for path in paths:
                bytes_ = self._bytes(path)
                while self._is_full(bytes_):
                    yield from self._next()
                self._open(path, bytes_)
            while self._files:
                yield from self._next()
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            self._pool.shutdown(cancel_futures=True)
            for thread in threads:
                thread.join()

    def _bytes(self, path: Path) -> int:
        pixels = peek_pixels(path) if self._predictor.limits.memory else 0
        # what is larger than allowed is refused by its header, and takes nothing
        return 0 if pixels > self._predictor.preprocess.decode.max_pixels > 0 else PICTURE_BYTES * pixels

    def _is_full(self, bytes_: int) -> bool:
        """Whether a file has to wait; one that alone takes more than half of the memory is there alone."""
        too_much = sum(file.bytes for file in self._files) + bytes_ > self._predictor.limits.memory // 2 > 0
        return len(self._files) >= self._ahead or (too_much and bool(self._files))

    def _open(self, path: Path, bytes_: int) -> None:
        with self._changed:
            file = _File(self._reader.read(path, self._pages, bytes_), bytes_)
            self._files.append(file)
            self._read_on(file)

    def _next(self) -> Iterator[PictureResult]:
        """The next result of the first file; nothing when that has none left, and it goes."""
        while True:
            with self._changed:
                if self._fault:
                    raise self._fault
                file = self._files[0]
                if file.pages and file.pages[0].result is not None:
                    result = file.pages.popleft().result
                    self._read_on(file)
                    break
                if file.exhausted and not file.pages:
                    self._files.popleft()
                    return
                group = [] if self._lanes else self._take()
                if not group:
                    self._changed.wait()
            if group:
                self._infer(group)
        if result is not None:
            yield result

    def _read_on(self, file: _File) -> None:
        """Have the next piece of a file read unless enough of it is held; the lock is held."""
        if file.reading or file.exhausted or self._closed:
            return
        page_begun = bool(file.pages) and not file.pages[-1].all_read
        enough = file.inside if page_begun else len(file.pages)
        if enough <= self._enough:
            file.reading = True
            self._submit(self._read, file)

    def _submit(self, work: Callable[..., None], *arguments: object) -> None:
        def guarded() -> None:
            try:
                work(*arguments)
            except BaseException as error:  # handed to the thread that asks for results
                with self._changed:
                    self._fault = self._fault or error
                    self._changed.notify_all()

        if not self._closed:
            self._pool.submit(guarded)

    def _read(self, file: _File) -> None:
        piece = next(file.pieces, None)
        with self._changed:
            file.reading = False
            if piece is None:
                file.exhausted = True
                self._changed.notify_all()
                return
            if not file.pages or file.pages[-1].all_read:
                file.pages.append(_Page())
            page = file.pages[-1]
            page.pieces += 1
            page.all_read = piece.last
            file.inside += 1
            if piece.ready:
                self._waiting.append((file, page, piece))
                self._changed.notify_all()
            self._read_on(file)
        if not piece.ready:
            self._decode(file, page, piece, None, 0.0)

    def _lane(self) -> None:
        try:
            while True:
                with self._changed:
                    while not (group := self._take()) and not self._closed:
                        self._changed.wait()
                    if self._closed:
                        return
                self._infer(group)
        except BaseException as error:  # as in _submit
            with self._changed:
                self._fault = self._fault or error
                self._changed.notify_all()

    def _take(self) -> list[tuple[_File, _Page, Piece]]:
        """The piece that waits longest, and others of its size; nothing while there is none, or no room for it.

        The lock is held.
        """
        if not self._waiting:
            return []
        first = self._waiting[0][2]
        size, pixels = _size(first), _pixels(first)
        if first.beside and self._running and self._running + pixels > first.beside:
            return []
        room = (first.beside - self._running) // pixels if first.beside else self._batch
        group: list[tuple[_File, _Page, Piece]] = []
        others: list[tuple[_File, _Page, Piece]] = []
        for entry in self._waiting:
            fits = len(group) < max(1, min(room, self._batch)) and _size(entry[2]) == size
            (group if fits else others).append(entry)
        self._waiting = deque(others)
        self._running += pixels * len(group)
        return group

    def _infer(self, group: list[tuple[_File, _Page, Piece]]) -> None:
        start = time.perf_counter()
        maps = self._predictor.infer([piece for _, _, piece in group])
        seconds = (time.perf_counter() - start) / len(group)
        with self._changed:
            self._running -= _pixels(group[0][2]) * len(group)
            for (file, page, piece), logits in zip(group, maps):
                self._submit(self._decode, file, page, piece, logits, seconds)
            self._changed.notify_all()

    def _decode(
        self, file: _File, page: _Page, piece: Piece, logits: npt.NDArray[np.float32] | None, seconds: float
    ) -> None:
        part = self._predictor.decode(piece, logits, seconds)
        with self._changed:
            page.parts.append(part)
            file.inside -= 1
            whole = page.all_read and len(page.parts) == page.pieces
            self._read_on(file)
        if whole:
            result = self._finish(self._predictor.assemble(page.parts))
            with self._changed:
                page.parts = []
                page.result = result
                self._changed.notify_all()


def _size(piece: Piece) -> tuple[int, ...]:
    return piece.ready.image.shape if piece.ready else ()


def _pixels(piece: Piece) -> int:
    *_, height, width = _size(piece)
    return height * width
