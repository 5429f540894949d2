"""A thousand pictures, 5 % of them hostile, killed and resumed: each good one once, each bad one named."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.hostile import bad, good
from tests.test_infer_folder import contents, lines_in, names, start, wait_for

FORMATS = ["--formats", "lines,jsonl,coco,icdar,labelme,drawn,crops,sheet"]


def write(folder: Path, count: int) -> tuple[set[str], set[str]]:
    """Good pictures of all formats, and every twentieth bad in one of all ways; the names of lines, and of errors."""
    lines: set[str] = set()
    errors: set[str] = set()
    kinds, harms = list(good().items()), [*bad().items(), ("folder.jpg", None), ("dangling.jpg", None)]
    for number in range(count):
        place = folder / f"{number % 7}" / f"{number:04}"
        place.parent.mkdir(parents=True, exist_ok=True)
        if number % 20 == 13:
            name, content = harms[number // 20 % len(harms)]
            place = place.with_name(f"{place.name}_{name}")
            errors.add(str(place))
            if content is not None:
                place.write_bytes(content)
            elif name == "folder.jpg":
                place.mkdir()
            else:
                place.symlink_to("nowhere.jpg")
            continue
        name, (content, pages) = kinds[number % len(kinds)]
        place = place.with_name(f"{place.name}_{name}")
        place.write_bytes(content)
        lines |= {str(place)} if pages == 1 else {f"{place}#page={page}" for page in range(1, pages + 1)}
    return lines, errors


def peak(process: subprocess.Popen[str]) -> int:
    """Wait for a process; the most memory in kB that it held."""
    most = 0
    while process.poll() is None:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
        most = max(most, int(found[1])) if found else most
        time.sleep(0.01)
    return most


@pytest.mark.long
def test_a_thousand_pictures_killed_and_resumed(tmp_path: Path) -> None:
    lines, errors = write(tmp_path / "photos", 1000)
    assert len(errors) == 50
    arguments = [tmp_path / "photos", "-r", "--output", tmp_path / "o", *FORMATS, "--resume"]
    results = tmp_path / "o" / "results.txt"
    rng = random.Random(0)
    kills, stood = 0, -1
    while stood < len(lines) * 0.9:
        process = start(*arguments, seconds=0.002)
        wait_for(process, results, max(0, stood) + rng.randint(50, 300))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills, stood = kills + 1, lines_in(results)
    assert kills >= 4
    last = start(*arguments, seconds=0.0)
    shown, _ = last.communicate(timeout=600)
    assert last.returncode == 1, shown

    found = names(results)
    assert len(found) == len(set(found))
    assert set(found) == lines
    texts = [json.loads(line.split("\t")[1]) for line in results.read_text(encoding="utf-8").splitlines()]
    assert {len(text) for text in texts} == {2}
    named = [name.removesuffix("#page=1") for name in names(tmp_path / "o" / "results_errors.txt")]
    assert sorted(named) == sorted(errors)
    whole = start(tmp_path / "photos", "-r", "--output", tmp_path / "whole", *FORMATS, seconds=0.0)
    assert whole.communicate(timeout=600) and whole.returncode == 1
    assert contents(tmp_path / "o") == contents(tmp_path / "whole")


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from /proc")
def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path: Path) -> None:
    peaks = {}
    for count in (200, 1000):
        write(tmp_path / str(count), count)
        process = start(tmp_path / str(count), "-r", "--output", tmp_path / f"o{count}", *FORMATS, seconds=0.0)
        threading.Thread(target=process.communicate, daemon=True).start()  # a full pipe would stop it
        peaks[count] = peak(process)
    kept_pictures = 800 * 96 * 160 * 3 // 1024  # what 800 pictures more take, were they kept
    assert peaks[1000] < peaks[200] + kept_pictures // 2, peaks
