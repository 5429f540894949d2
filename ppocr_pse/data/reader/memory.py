"""Is there room for what reading takes? Looked up before a run, since a system out of memory kills without a word."""

from __future__ import annotations

import os
from pathlib import Path

MB = 2**20
DEV_SHM_NEEDED = 256 * MB
"""What communication between cards should find free in /dev/shm; containers have 64 MB unless told otherwise."""

CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")


def free_memory() -> int | None:
    """Bytes that this machine, or the container it is in, can still give out; None where Linux does not say."""
    rooms = [room for room in (_available(), _cgroup_room()) if room is not None]
    return min(rooms) if rooms else None


def _available() -> int | None:
    try:
        for line in MEMINFO.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        return None
    return None


def _cgroup_room() -> int | None:
    """Limit of the container less what it uses, the page cache that it can drop not counted."""
    for limit, used, statistics, droppable in (
        ("memory.max", "memory.current", "memory.stat", "inactive_file"),
        (
            "memory/memory.limit_in_bytes",
            "memory/memory.usage_in_bytes",
            "memory/memory.stat",
            "total_inactive_file",
        ),
    ):
        try:
            # "max", no limit, is no number
            room = int((CGROUP / limit).read_text()) - int((CGROUP / used).read_text())
            lines = (CGROUP / statistics).read_text().splitlines()
            return room + sum(int(line.split()[1]) for line in lines if line.split()[:1] == [droppable])
        except (OSError, ValueError, IndexError):
            continue
    return None


def reading_fits(batches: int, cache: int, processes: int) -> None:
    """Compare what reading takes with what is free.

    Args:
        batches: bytes of shared memory that the batches of one training process take.
        cache: bytes of the picture cache of one training process.
        processes: training processes on this machine.

    Raises:
        ValueError: if it does not fit.
    """
    free = free_memory()
    needed = (batches + cache) * processes
    if free is None or needed <= free:
        return
    of_all = f" in {processes} processes" if processes > 1 else ""
    raise ValueError(
        f"reading needs {needed / MB:.0f} MB of memory{of_all} ({batches * processes / MB:.0f} MB for batches ahead, "
        f"{cache * processes / MB:.0f} MB for Train.dataset.cache), but {free / MB:.0f} MB are free; lower "
        f"{'cache' if cache > batches else 'batch_size_per_card or num_workers'}, or give the machine or container more"
    )


def dev_shm_notice(processes: int) -> str:
    """Warn of a small /dev/shm, over which the processes of a training run on several cards talk to each other.

    The reader itself does not use it. NCCL and its kin do, and die without a word of it when it is full.

    Args:
        processes: training processes on this machine that have a card each.

    Returns:
        The warning with its cure, or "".
    """
    if processes < 2:
        return ""
    try:
        found = os.statvfs("/dev/shm")
    except (OSError, AttributeError):
        return ""
    free = found.f_bavail * found.f_frsize
    if free >= DEV_SHM_NEEDED:
        return ""
    return (
        f"/dev/shm has {free / MB:.0f} MB free, expected at least {DEV_SHM_NEEDED / MB:.0f} MB: {processes} processes "
        "exchange gradients through it and may crash. Start the container with --shm-size=1g (or --ipc=host), in "
        "Kubernetes mount an emptyDir with `medium: Memory` there, or `mount -o remount,size=1g /dev/shm`"
    )
