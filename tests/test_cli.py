"""The commands as a user runs them: train a few steps, resume, evaluate, detect; what a wrong call prints."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SMALL = [
    "Global.epoch_num=2",
    "Global.print_batch_step=1",
    "Global.eval_batch_epoch=1",
    "Architecture.Neck.out_channels=8",
    "Architecture.Head.hidden_dim=8",
    "Train.dataset.transforms.4.MakePseGt.size=64",
    "Train.dataset.transforms.5.RandomCropImgMask.size=[64,64]",
    "Train.loader.batch_size_per_card=4",
    "Train.loader.num_workers=1",
    "Eval.dataset.transforms.2.DetResizeForTest.limit_side_len=96",
    "Global.use_gpu=false",
    "Global.engine=paddle",
]


def tool(name: str, *arguments: object, code: int | None = 0) -> str:
    """Run tools/NAME.py; returns what it printed on both streams."""
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    process = subprocess.run(
        [sys.executable, ROOT / "tools" / name, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=ROOT,
        env=environment,
    )
    text = process.stdout + process.stderr
    assert code is None or process.returncode == code, text
    return text


def options(bars: Path, out: Path) -> list[str]:
    return [
        "-o",
        *SMALL,
        f"Global.save_model_dir={out}",
        f"Train.dataset.data_dir={bars}",
        f"Train.dataset.label_file_list=[{bars}/label.txt]",
        f"Eval.dataset.data_dir={bars}",
        f"Eval.dataset.label_file_list=[{bars}/val.txt]",
    ]


CONFIG = "configs/det/quickstart.yml"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """A data set, the folder of a run on it, and what the run printed."""
    from tests.conftest import write_pictures

    bars = tmp_path_factory.mktemp("bars")
    write_pictures(bars, 8, name="label.txt")
    write_pictures(bars, 4, name="val.txt")
    (bars / "label.txt_2.png").write_bytes(b"broken")
    with (bars / "label.txt").open("a") as labels:
        labels.write("no tab here\n")
    out = tmp_path_factory.mktemp("run")
    return bars, out, tool("train.py", "-c", CONFIG, *options(bars, out))


def test_training_end_to_end(trained: tuple[Path, Path, str]) -> None:
    bars, out, text = trained
    assert f"{bars}/label.txt:9: no" in text
    assert "1 of 8 pictures could not be used" in text and "label.txt_2.png" in text
    assert re.search(r"ppocr INFO: epoch: \[2/2\], global_step: 4, lr: ", text)
    assert "cur metric, precision: " in text and "best metric, " in text
    for name in ("config.yml", "train.log", "metrics.csv", "curves.png", "best_accuracy.pdparams", "latest.pdema"):
        assert (out / name).is_file(), name
    assert "device: cpu (Global.use_gpu is false)" in text
    assert "Warning" not in text


def test_a_saved_configuration_is_a_configuration(trained: tuple[Path, Path, str]) -> None:
    from ppocr_pse.config import load_config

    _, out, _ = trained
    config = load_config(out / "config.yml")
    assert config.settings.epoch_num == 2
    assert config.tree["Architecture"]["Neck"]["out_channels"] == 8


def test_resuming(trained: tuple[Path, Path, str], tmp_path: Path) -> None:
    bars, out, _ = trained
    again = tmp_path / "again"
    shutil.copytree(out, again)
    text = tool(
        "train.py", "-c", CONFIG, *options(bars, again), f"Global.checkpoints={again}/latest", "Global.epoch_num=3"
    )
    assert "epoch 3, batch 0, global_step 4" in text
    assert re.search(r"epoch: \[3/3\], global_step: 6", text)


def test_evaluating(trained: tuple[Path, Path, str]) -> None:
    bars, out, _ = trained
    text = tool("eval.py", "-c", CONFIG, *options(bars, out), f"Global.checkpoints={out}/best_accuracy")
    assert re.search(r"metric, precision: [\d.]+, recall: [\d.]+, hmean: [\d.]+, fps: ", text)
    assert re.search(r"ms a picture: read [\d.]+, preprocess [\d.]+, network [\d.]+, post-process", text)


def test_evaluating_with_an_unreadable_picture_ends_with_1(trained: tuple[Path, Path, str], tmp_path: Path) -> None:
    bars, out, _ = trained
    copy = tmp_path / "copy"
    shutil.copytree(bars, copy)
    (copy / "val.txt_1.png").unlink()
    text = tool("eval.py", "-c", CONFIG, *options(copy, out), f"Global.checkpoints={out}/best_accuracy", code=1)
    assert "val.txt:2: no picture at" in text and "its texts count as missed" in text


def test_detecting_in_a_folder(trained: tuple[Path, Path, str], tmp_path: Path) -> None:
    bars, out, _ = trained
    photos = tmp_path / "photos"
    (photos / "sub").mkdir(parents=True)
    shutil.copy(bars / "val.txt_1.png", photos / "same.png")
    shutil.copy(bars / "val.txt_2.png", photos / "sub" / "same.png")
    shutil.copy(bars / "val.txt_3.png", photos / "wörd 1.png")
    (photos / "broken.jpg").write_bytes(b"\xff\xd8 not really")
    found = tmp_path / "found" / "results.txt"
    arguments = [
        *options(bars, out),
        f"Global.pretrained_model={out}/best_accuracy",
        f"Global.infer_img={photos}",
        f"Global.save_res_path={found}",
        "PostProcess.box_thresh=0.0",
        "PostProcess.box_type=quad",
    ]
    text = tool("infer_det.py", "--recursive", "-c", CONFIG, *arguments, code=1)
    assert "broken.jpg" in text and "1 of 4 pictures could not be used" in text
    lines = found.read_text(encoding="utf-8").splitlines()
    assert [Path(line.split("\t")[0]).relative_to(photos) for line in lines] == [
        Path("same.png"),
        Path("sub/same.png"),
        Path("wörd 1.png"),
    ]
    for line in lines:
        for entry in json.loads(line.split("\t")[1]):
            assert entry["transcription"] == "" and len(entry["points"]) == 4 and 0 <= entry["score"] <= 1
    drawn = sorted(
        str(p.relative_to(found.parent / "det_results")) for p in (found.parent / "det_results").rglob("*.png")
    )
    assert drawn == ["same.png", "sub/same.png", "wörd 1.png"]


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("train.py", ["-c", "configs/det/absent.yml"], "cannot read the configuration"),
        ("train.py", ["-c", CONFIG, "-o", "Global.epoch_nums=1"], "did you mean 'epoch_num'?"),
        (
            "train.py",
            ["-c", CONFIG, "-o", "Train.dataset.label_file_list=[/absent/label.txt]"],
            "cannot read the label file",
        ),
        ("eval.py", ["-c", CONFIG, "-o", "Global.checkpoints=/absent/best"], "error: "),
        ("infer_det.py", ["-c", CONFIG], "no pictures are named"),
    ],
)
def test_what_stops_the_work_is_told_in_one_line(name: str, arguments: list[str], words: str, tmp_path: Path) -> None:
    if name == "train.py" and "-o" in arguments:
        arguments = [*arguments, f"Global.save_model_dir={tmp_path}"]
    text = tool(name, *arguments, code=2)
    assert words in text and "Traceback" not in text


@pytest.mark.parametrize("name", ["train.py", "eval.py", "infer_det.py", "make_synthetic.py"])
def test_help_ends_in_worked_examples(name: str) -> None:
    text = tool(name, "--help")
    assert "examples:" in text.lower()


def test_commands_are_listed() -> None:
    process = subprocess.run([sys.executable, "-m", "ppocr_pse.cli", "--help"], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert all(command in process.stdout for command in ("train", "eval", "infer", "make-synthetic"))


def test_threads_are_set_before_paddle_is_imported() -> None:
    script = (
        "from ppocr_pse.cli import prepare_environment; prepare_environment(); import os, sys; "
        "assert 'paddle' not in sys.modules; print(os.environ['OMP_NUM_THREADS'])"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OMP", "PADDLE"))}
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert int(result.stdout) == len(os.sched_getaffinity(0))
    environment["PADDLE_TRAINERS_NUM"] = "2"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert int(result.stdout) == max(1, len(os.sched_getaffinity(0)) // 2)
