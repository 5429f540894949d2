from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from ppocr_pse.deploy import cache
from ppocr_pse.deploy.cache import KEPT, cache_key, cached, is_whole
from ppocr_pse.deploy.digests import file_digest, weights_digest
from ppocr_pse.deploy.spec import Facts, InferenceSpec, write_spec
from tests.deploy.conftest import make_spec, names_in

KEY = cache_key("abc", {"Backbone": 1}, {"paddle": "3"})


def write_export(folder: Path, content: bytes = b"weights") -> None:
    (folder / "inference.pdiparams").write_bytes(content)
    spec = make_spec()
    facts = Facts(files={"inference.pdiparams": file_digest(folder / "inference.pdiparams")})
    write_spec(folder, InferenceSpec(spec.preprocess, spec.decoder, facts=facts))


def test_it_is_made_once(tmp_path: Path) -> None:
    calls: list[Path] = []

    def make(folder: Path) -> None:
        calls.append(folder)
        assert not list(folder.iterdir())
        write_export(folder)

    first = cached(tmp_path / "best", KEY, make)
    assert first == tmp_path / f"best.engine-{KEY}"
    assert is_whole(first)
    assert cached(tmp_path / "best", KEY, make) == first
    assert len(calls) == 1
    assert names_in(tmp_path) == [first.name]


def test_the_key_stands_for_the_content() -> None:
    state = {"a": np.zeros((2, 3), np.float32), "b": np.ones(6, np.float32)}
    digest = weights_digest(state)
    assert digest == weights_digest(dict(reversed(state.items())))
    others = [
        {**state, "a": np.zeros((3, 2), np.float32)},
        {**state, "a": np.zeros((2, 3), np.float64)},
        {**state, "a": np.nextafter(state["a"], 1)},
        {"a": state["a"], "c": state["b"]},
    ]
    assert len({digest, *map(weights_digest, others)}) == 5
    keys = {
        cache_key(digest, {"x": 1}, {"paddle": "3"}),
        cache_key(digest, {"x": 2}, {"paddle": "3"}),
        cache_key(digest, {"x": 1}, {"paddle": "4"}),
        cache_key("other", {"x": 1}, {"paddle": "3"}),
    }
    assert len(keys) == 4


@pytest.mark.parametrize("damage", ["cut", "gone", "no description", "broken description", "empty"])
def test_a_damaged_one_is_made_again(damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = cached(tmp_path / "best", KEY, write_export)
    weights, description = folder / "inference.pdiparams", folder / "inference.yml"
    if damage == "cut":
        weights.write_bytes(b"wei")
    elif damage == "gone":
        weights.unlink()
    elif damage == "no description":
        description.unlink()
    elif damage == "broken description":
        description.write_text("{")
    else:
        shutil.rmtree(folder)
        folder.mkdir()
    with caplog.at_level(logging.WARNING, "ppocr"):
        assert cached(tmp_path / "best", KEY, write_export) == folder
    assert "made again" in caplog.text
    assert weights.read_bytes() == b"weights"
    assert names_in(tmp_path) == [folder.name]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        cached(tmp_path / "best", KEY, fail)
    assert not names_in(tmp_path)


def test_a_read_only_folder_sends_it_to_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    wall = tmp_path / "file"
    wall.write_text("a folder below a file can never be written, not even by root")
    folder = cached(wall / "best", KEY, write_export)
    assert folder == tmp_path / "home" / "ppocr_pse" / f"best.engine-{KEY}"
    assert cached(wall / "best", KEY, lambda folder: pytest.fail("made twice")) == folder
    monkeypatch.setenv("XDG_CACHE_HOME", str(wall))
    with pytest.raises(OSError, match=r"neither .* nor .* can be written"):
        cached(wall / "best", "0" * 12, write_export)


def test_old_ones_go(tmp_path: Path) -> None:
    cached(tmp_path / "latest-2", "f" * 12, write_export)
    for number in range(KEPT + 2):
        folder = cached(tmp_path / "latest", f"{number:012d}", write_export)
        os.utime(folder, (number, number))
    stale = tmp_path / ".latest.engine-dead"
    stale.mkdir()
    os.utime(stale, (0, 0))
    cached(tmp_path / "latest", "a" * 12, write_export)
    kept = [f"latest.engine-{key}" for key in ("0" * 11 + "3", "0" * 11 + "4", "a" * 12)]
    assert names_in(tmp_path) == sorted([*kept, "latest-2.engine-" + "f" * 12])


def test_glob_characters_in_the_name(tmp_path: Path) -> None:
    cached(tmp_path / "b", "b" * 12, write_export)
    for number in range(KEPT + 1):
        cached(tmp_path / "[ab]*", f"{number:012d}", write_export)
    assert (tmp_path / ("b.engine-" + "b" * 12)).is_dir()
    assert len(names_in(tmp_path)) == KEPT + 1


def _one_of_several(checkpoint: Path, log: Path, locked: bool) -> None:
    if not locked:
        import sys

        sys.modules["fcntl"] = None  # type: ignore[assignment]  # the import fails, as where there is none

    def make(folder: Path) -> None:
        with log.open("a") as lines:
            lines.write("made\n")
        time.sleep(0.1)
        write_export(folder)

    folder = cached(checkpoint, KEY, make)
    with log.open("a") as lines:
        lines.write(f"whole {is_whole(folder)}\n")


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize("locked", [True, False])
def test_several_processes_at_once(locked: bool, damaged: bool, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    if damaged:
        (tmp_path / "run" / f"best.engine-{KEY}").mkdir()
    fork = multiprocessing.get_context("fork")
    arguments = (tmp_path / "run" / "best", tmp_path / "log", locked)
    processes = [fork.Process(target=_one_of_several, args=arguments) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines.count("whole True") == 6
    assert lines.count("made") == 1 if locked else lines.count("made") >= 1
    assert names_in(tmp_path / "run") == [f"best.engine-{KEY}"]
    assert cache.is_whole(tmp_path / "run" / f"best.engine-{KEY}")
