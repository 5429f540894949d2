"""The page in a real browser: it renders, its script sorts, hides and enlarges, and nothing is reported as an error."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import cv2
import pytest

from ppocr_pse.report import write_report
from tests.report.scenes import make_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on this machine"),
]
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=1200,900",
]
PROBE = """
<script>
const first = () => document.querySelector("table.sortable tbody td").textContent;
const heads = document.querySelectorAll("table.sortable th button");
const seen = {errors: window.faults};
heads[8].click(); seen.lowest = first(); heads[8].click(); seen.highest = first();
seen.order = heads[8].parentElement.getAttribute("aria-sort");
const box = document.querySelector("input[data-kind=miss]");
const shown = () => getComputedStyle(document.querySelector(".g-miss")).display;
box.click(); seen.hidden = shown(); box.click(); seen.shown = shown();
const view = document.querySelector(".views svg"), before = view.getBoundingClientRect().width;
view.dispatchEvent(new MouseEvent("click", {bubbles: true}));
seen.enlarged = view.getBoundingClientRect().width / before;
seen.loaded = performance.getEntriesByType("resource").map((entry) => entry.name.slice(0, 40));
document.title = JSON.stringify(seen);
</script></body>
"""


def browse(page: Path, profile: Path, *options: str) -> str:
    command = [str(BROWSER), *QUIET, f"--user-data-dir={profile}", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def test_the_script(tmp_path: Path) -> None:
    page = write_report(make_report(extra=3), tmp_path)
    text = page.read_text(encoding="utf-8")
    watch = "<head><script>window.faults = []; onerror = (words) => window.faults.push(words);</script>"
    page.write_text(text.replace("<head>", watch, 1).replace("</body>", PROBE, 1), encoding="utf-8")
    dom = browse(page, tmp_path / "profile", "--dump-dom")
    found = re.search(r"<title>(.*?)</title>", dom, re.DOTALL)
    assert found is not None
    seen = json.loads(unescape(found.group(1)))
    assert seen["errors"] == [] and seen["order"] == "descending"
    assert (seen["lowest"], seen["highest"]) == ("c.jpg", "a.jpg")
    assert (seen["hidden"], seen["shown"]) == ("none", "inline") and seen["enlarged"] > 1.9
    assert all(name.startswith("data:") for name in seen["loaded"])


def test_the_picture(tmp_path: Path) -> None:
    page = write_report(make_report(), tmp_path)
    browse(page, tmp_path / "profile", f"--screenshot={tmp_path / 'page.png'}")
    image = cv2.imread(str(tmp_path / "page.png"))
    assert image is not None and image.shape == (900, 1200, 3)
    assert image.std() > 10, "an empty page"
