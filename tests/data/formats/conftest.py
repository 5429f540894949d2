"""Small annotations in the data sets' true formats, written for these tests."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest


@pytest.fixture
def fixtures() -> Path:
    return Path(__file__).parent / "fixtures"


@pytest.fixture
def zipped(tmp_path: Path):
    """Packs a folder of fixtures as downloads are packed: in a folder, with what macOS adds."""

    def pack(folder: Path) -> Path:
        archive = tmp_path / f"{folder.name}.zip"
        with zipfile.ZipFile(archive, "w") as target:
            for file in sorted(folder.iterdir()):
                target.write(file, f"Ground truth/{file.name}")
                target.writestr(f"__MACOSX/Ground truth/._{file.name}", b"\0\5\x16\7")
        return archive

    return pack
