"""`ppocr-pse eval --report --submission`, with a network that finds bright areas in place of a trained one."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import paddle
import pytest

from ppocr_pse import build
from ppocr_pse.cli import eval as command
from ppocr_pse.cli import score
from tests.report.test_report import parse

CONFIG = Path(__file__).parents[2] / "configs" / "det" / "quickstart.yml"


class BrightIsText(paddle.nn.Layer):
    """Logits: the sureness grows with the brightness; the same for all seven maps."""

    def forward(self, x: paddle.Tensor) -> dict:
        bright = paddle.nn.functional.avg_pool2d(x.mean(axis=1, keepdim=True), 4)
        return {"maps": ((bright - 0.3) * 2.5).tile([1, 7, 1, 1])}


@pytest.fixture
def run(bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture):  # type: ignore[no-untyped-def]
    """A function that runs the command on eight pictures with twelve texts; gives its exit code and what it said."""
    monkeypatch.setattr(command, "load_trained", lambda config, logger: BrightIsText())

    def call(*options: object) -> tuple[int, str]:
        code = command.main(
            [
                *("-c", str(CONFIG), *map(str, options)),
                *("-o", "Global.use_gpu=false", "Global.engine=paddle", "Global.pretrained_model=weights/bright"),
                f"Eval.dataset.data_dir={bars}",
                f"Eval.dataset.label_file_list=[{bars}/label.txt]",
                "Eval.dataset.transforms.2.DetResizeForTest.limit_side_len=96",
                "PostProcess.thresh=0.0",
                "PostProcess.box_thresh=0.6",
            ]
        )
        captured = capfd.readouterr()
        return code, captured.out + captured.err

    return call


def test_report_and_submission_agree_with_the_evaluation(run, bars: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    picture = cv2.imread(str(bars / "label.txt_2.png"))
    picture[80:94, 8:80] = 140  # bright enough to be seen, too dim to be sure of
    cv2.imwrite(str(bars / "label.txt_2.png"), picture)
    code, text = run("--report", tmp_path / "report", "--submission", tmp_path / "submit.zip")
    assert code == 0, text
    content = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert f"hmean: {content['hmean']:.6f}" in text and content["counts"]["truths"] == 12
    assert 0 < content["hmean"] <= 1 and content["seconds"] > 0 and list(content["stages"]) == [
        "read", "preprocess", "network", "post-process"
    ]  # fmt: skip
    parse((tmp_path / "report" / "report.html").read_text(encoding="utf-8"))
    below = [point for point in content["curve"] if point["threshold"] < 0.6]
    kept = [point for point in content["curve"] if point["threshold"] >= np.float32(0.6)]
    assert kept[0]["counts"] == content["counts"], "the curve at box_thresh is the evaluation"
    assert below, "the curve goes on below box_thresh"
    with zipfile.ZipFile(tmp_path / "submit.zip") as archive:
        assert sorted(archive.namelist()) == [f"res_img_{number}.txt" for number in range(8)]
    again = ["--protocol", "icdar2015", "--gt", bars / "label.txt", "--results", tmp_path / "submit.zip"]
    assert score.main([str(a) for a in [*again, "--json", tmp_path / "score.json"]]) == 0
    scored = json.loads((tmp_path / "score.json").read_text())
    assert scored["counts"] == content["counts"]


def test_an_unreadable_picture_stands_in_the_report(run, bars: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (bars / "label.txt_3.png").write_bytes(b"broken")
    code, text = run("--report", tmp_path / "report", "--gallery", 2)
    assert code == 1, text
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "1 picture or label could not be used" in page and "label.txt:4" in page
    assert page.count('class="exhibit"') <= 2 and "no picture" in page


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--submission", "{tmp}/x.zip"], "its name holds no number"),
        (["--submission", "{tmp}/full"], "is no folder of text files"),
        (["--report", "{tmp}/full/file"], "--report or --submission"),
    ],
)
def test_what_could_not_be_written_is_said_before_the_network_runs(  # type: ignore[no-untyped-def]
    run, bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], words: str
) -> None:
    def never(config: object, logger: object) -> None:
        raise AssertionError("the network was loaded")

    monkeypatch.setattr(command, "load_trained", never)
    if "x.zip" in options[1]:
        (bars / "label.txt").write_text("cover.png\t[]\n")
        (bars / "label.txt_0.png").rename(bars / "cover.png")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("precious")
    code, text = run(*(option.format(tmp=tmp_path) for option in options))
    assert code == 2 and words in text, text
    assert (tmp_path / "full" / "file").read_text() == "precious"


def test_the_metric_section_takes_thresholds_of_totaltext() -> None:
    metric = build.build_metric({"name": "DetMetric", "main_indicator": "hmean", "protocol": "totaltext", "tr": 0.8})
    assert metric.protocol == "totaltext"
    with pytest.raises(ValueError, match=r"Metric.*has no such thresholds"):
        build.build_metric({"name": "DetMetric", "protocol": "ctw1500", "tp": 0.4})
