"""Drawings: in the right place, of the right size, never half written."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from ppocr_pse.types import Detections
from ppocr_pse.visualize import contact_sheet, draw_curves, draw_detections, write_image


def test_a_text_is_outlined_on_a_copy() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    found = Detections((np.array([[20, 30], [120, 30], [120, 60], [20, 60]], np.int32),), np.array([0.9], np.float32))
    drawn = draw_detections(image, found, with_scores=True)
    assert image.max() == 0
    assert drawn[30, 70].max() > 0 and drawn[45, 20].max() > 0
    assert drawn[40:50, 60:80].max() == 0 and drawn[80:].max() == 0
    np.testing.assert_array_equal(draw_detections(image, Detections((), np.zeros(0, np.float32))), image)


def test_contact_sheet() -> None:
    pictures = [np.full((50, 100, 3), value, np.uint8) for value in (10, 20, 30)]
    sheet = contact_sheet(pictures, columns=2, cell=(40, 80))
    assert sheet.shape == (88, 168, 3)
    assert sheet[10, 10, 0] == 10 and sheet[10, 100, 0] == 20 and sheet[60, 10, 0] == 30
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([])


def test_curves_take_rows_with_gaps(tmp_path: Path) -> None:
    rows = [{"global_step": "1", "loss": "0.9", "hmean": ""}, {"global_step": 2, "loss": 0.5, "hmean": 0.25}]
    draw_curves(rows, tmp_path / "curves.png", "run")
    image = cv2.imread(str(tmp_path / "curves.png"))
    assert image.shape[0] > 500 and len(np.unique(image.reshape(-1, 3), axis=0)) > 10
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


def test_pictures_are_written_under_any_name(tmp_path: Path) -> None:
    file = tmp_path / "söme where" / "ö'\" x.png"
    write_image(file, np.full((4, 4, 3), 9, np.uint8))
    assert cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR)[0, 0].tolist() == [9, 9, 9]
    with pytest.raises(OSError, match="cannot encode"):
        write_image(tmp_path / "a.xyz", np.zeros((4, 4, 3), np.uint8))
