"""Room in memory and in /dev/shm, looked up before a run."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from ppocr_pse.data.reader import memory

MB = memory.MB


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 1000 MB available and no container."""
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CGROUP", tmp_path / "cgroup")
    (tmp_path / "meminfo").write_text("MemTotal: 4096000 kB\nMemAvailable:  1024000 kB\n")
    return tmp_path


def test_free_memory_of_a_machine(system: Path) -> None:
    assert memory.free_memory() == 1000 * MB
    (system / "meminfo").unlink()
    assert memory.free_memory() is None
    memory.reading_fits(10**15, 0, 1)  # not known: nothing is forbidden


@pytest.mark.parametrize(("version", "expected"), [(1, 150), (2, 150)])
def test_a_container_has_its_own_limit(system: Path, version: int, expected: int) -> None:
    """256 MB, 156 in use, of which 50 are files that can be dropped."""
    folder = system / "cgroup" / ("memory" if version == 1 else "")
    folder.mkdir(parents=True)
    limit, used = (
        ("memory.limit_in_bytes", "memory.usage_in_bytes") if version == 1 else ("memory.max", "memory.current")
    )
    (folder / limit).write_text(f"{256 * MB}\n")
    (folder / used).write_text(f"{156 * MB}\n")
    name = "total_inactive_file" if version == 1 else "inactive_file"
    (folder / "memory.stat").write_text(f"anon 5\n{name} {50 * MB}\nactive_file 3\n")
    assert memory.free_memory() == expected * MB
    (folder / limit).write_text("max\n")
    assert memory.free_memory() == 1000 * MB


def test_what_does_not_fit_is_told_with_the_cure(system: Path) -> None:
    memory.reading_fits(300 * MB, 200 * MB, 2)
    with pytest.raises(
        ValueError, match=r"1040 MB of memory in 2 processes \(640 MB .* 400 MB .*but 1000 MB are free"
    ) as e:
        memory.reading_fits(320 * MB, 200 * MB, 2)
    assert "lower batch_size_per_card or num_workers" in str(e.value)
    with pytest.raises(ValueError, match="lower cache"):
        memory.reading_fits(0, 1001 * MB, 1)


def test_a_small_dev_shm_is_told_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def statvfs(path: str) -> SimpleNamespace:
        asked.append(path)
        return SimpleNamespace(f_bavail=16384, f_frsize=4096)  # 64 MB, as a container has

    monkeypatch.setattr(os, "statvfs", statvfs)
    notice = memory.dev_shm_notice(4)
    assert asked == ["/dev/shm"]
    assert "/dev/shm has 64 MB free" in notice and "--shm-size=1g" in notice
    assert memory.dev_shm_notice(1) == ""  # one process exchanges nothing
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=65536, f_frsize=4096))
    assert memory.dev_shm_notice(4) == ""
