"""Shards: every name in exactly one, for ever the same one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppocr_pse.data.shards import Shard

NAMES = st.text(st.characters(exclude_categories=(), exclude_characters="\0")).map(
    lambda text: text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
)


@given(NAMES, st.integers(1, 50))
@settings(deadline=None)
def test_a_name_is_in_exactly_one_part(name: str, count: int) -> None:
    assert sum(Shard(index, count).holds(name) for index in range(count)) == 1


def test_which_part_it_is_never_changes(tmp_path: Path) -> None:
    """Golden: another answer in a later version would split a running job's pictures anew."""
    names = [*(f"scans/{i}.jpg" for i in range(12)), "wörd.png", "caf\udce9.jpg"]
    found = [next(i for i in range(5) if Shard(i, 5).holds(name)) for name in names]
    assert found == [1, 3, 1, 2, 2, 1, 2, 3, 0, 2, 2, 1, 1, 0]
    script = (
        "from ppocr_pse.data.shards import Shard; "
        f"print([next(i for i in range(5) if Shard(i, 5).holds(name)) for name in {names!r}])"
    )
    for seed in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed, "LC_ALL": "C"}, capture_output=True, text=True
        )
        assert ran.stdout.strip() == str(found), ran.stderr


def test_parts_are_of_like_size() -> None:
    sizes = [sum(Shard(i, 8).holds(f"page_{n:06}.jpg") for n in range(8000)) for i in range(8)]
    assert min(sizes) > 900 and max(sizes) < 1100


@pytest.mark.parametrize("text", ["", "1", "1/", "/2", "2/2", "-1/2", "0/0", "1/1", "a/b", "0/2/3", "1.5/2", "٠/٢"])
def test_what_is_no_part_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="expected I/N with I from 0"):
        Shard.parse(text)


def test_names_of_its_files() -> None:
    shard = Shard.parse(" 3 / 16")
    assert shard == Shard(3, 16)
    assert shard.file(Path("found/results.txt")) == Path("found/results.shard-3-of-16.txt")
    assert shard.file(Path("v1.2/results")) == Path("v1.2/results.shard-3-of-16")
    with pytest.raises(ValueError, match=r"--array=0-3"):
        Shard.parse("4/4")
