"""Checkpoints: whole or not at all, PaddleOCR's triple, foreign weights with a verdict."""

from __future__ import annotations

import errno
import os
import pickle
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import paddle
import pytest

from ppocr_pse.build import build_loss, build_model, build_optimizer
from ppocr_pse.engine import checkpoint as module
from ppocr_pse.engine.checkpoint import (
    Checkpoint,
    CheckpointError,
    load_checkpoint,
    load_params,
    remove_old,
    save_checkpoint,
)
from ppocr_pse.engine.precision import Precision
from ppocr_pse.engine.weights import load_into, load_optimizer, load_pretrained
from tests.engine.test_optim import batches, optimizer_section
from tests.modeling.test_modeling import architecture


def small(value: float = 0.0) -> Checkpoint:
    return Checkpoint(
        {"w": paddle.full([3], value)}, {"x_moment1_0": paddle.full([3], value)}, {"global_step": int(value)}
    )


def value_of(prefix: Path) -> tuple[float, float, int]:
    loaded = load_checkpoint(str(prefix))
    return float(loaded.params["w"][0]), float(loaded.optimizer["x_moment1_0"][0]), loaded.states["global_step"]


def test_written_and_read_back(tmp_path: Path) -> None:
    prefix = tmp_path / "deep" / "latest"
    save_checkpoint(prefix, small(1))
    assert sorted(path.name for path in prefix.parent.iterdir()) == ["latest.pdopt", "latest.pdparams", "latest.states"]
    assert value_of(prefix) == (1, 1, 1)
    assert value_of(Path(f"{prefix}.pdparams")) == (1, 1, 1)


def replaced(count: int):
    """Path.replace that dies after `count` calls, as a killed process does."""
    calls = {"left": count}
    original = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if calls["left"] == 0:
            raise KeyboardInterrupt
        calls["left"] -= 1
        return original(self, target)

    return replace


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_killed_between_the_renames_the_new_checkpoint_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    prefix = tmp_path / "latest"
    save_checkpoint(prefix, small(1))
    monkeypatch.setattr(Path, "replace", replaced(moved))
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(prefix, small(2))
    monkeypatch.undo()
    assert value_of(prefix) == (2, 2, 2)
    assert not (tmp_path / "latest.pending").exists()


def test_killed_while_writing_the_old_checkpoint_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = tmp_path / "latest"
    save_checkpoint(prefix, small(1))

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module.pickle, "dumps", die)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(prefix, small(2))
    monkeypatch.undo()
    assert value_of(prefix) == (1, 1, 1)
    save_checkpoint(prefix, small(3))  # and what was left lying about is cleared away
    assert value_of(prefix) == (3, 3, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest.pdopt", "latest.pdparams", "latest.states"]


def test_a_full_disk_costs_nothing_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = tmp_path / "latest"
    save_checkpoint(prefix, small(1))

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"cannot write the checkpoint \(No space left on device\).*unharmed"):
        save_checkpoint(prefix, small(2))
    monkeypatch.undo()
    assert value_of(prefix) == (1, 1, 1)
    assert not list(tmp_path.glob("*writing*"))


def test_killed_at_any_moment_there_is_a_loadable_checkpoint(tmp_path: Path) -> None:
    """A process writes checkpoints without end; it is killed and what it left is read, ten times."""
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        import paddle
        from ppocr_pse.engine.checkpoint import Checkpoint, save_checkpoint
        for value in range(int(sys.argv[2]), 10**9):
            tensor = paddle.full([50_000], float(value))
            states = {"global_step": value}
            save_checkpoint(Path(sys.argv[1]), Checkpoint({"w": tensor}, {"x_moment1_0": tensor}, states))
            print(value, flush=True)
        """
    )
    prefix, value = tmp_path / "latest", 1
    rng = np.random.default_rng(3)
    for _ in range(10):
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(prefix), str(value)],
            stdout=subprocess.PIPE,
            text=True,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        process.stdout.readline()  # at least one is complete
        try:
            process.wait(timeout=float(rng.uniform(0.0, 0.15)))
        except subprocess.TimeoutExpired:
            process.kill()
        process.wait()
        printed = [int(line) for line in process.stdout.read().split()]
        weights, moments, step = value_of(prefix)
        assert weights == moments == step
        assert step >= max(printed, default=value)
        value = step + 1


def test_truncated_and_absent_files_are_named(tmp_path: Path) -> None:
    prefix = tmp_path / "best"
    save_checkpoint(prefix, small(1))
    with pytest.raises(CheckpointError, match=r"absent\.pdparams: no such file; that folder has .*best\.pdparams"):
        load_checkpoint(str(tmp_path / "absent"))
    content = (tmp_path / "best.pdparams").read_bytes()
    (tmp_path / "best.pdparams").write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"best\.pdparams: cannot be read .*truncated"):
        load_checkpoint(str(prefix))


def test_a_states_file_cannot_run_code(tmp_path: Path) -> None:
    prefix = tmp_path / "latest"
    save_checkpoint(prefix, small(1))

    class Trap:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / "trapped"),)

    (tmp_path / "latest.states").write_bytes(pickle.dumps({"epoch": Trap()}, protocol=2))
    with pytest.raises(CheckpointError, match="never needs"):
        load_checkpoint(str(prefix))
    assert not (tmp_path / "trapped").exists()


def test_only_the_last_epochs_are_kept(tmp_path: Path) -> None:
    for epoch in (1, 2, 9, 10, 11):
        save_checkpoint(tmp_path / f"iter_epoch_{epoch}", small(epoch))
    save_checkpoint(tmp_path / "latest", small(11))
    assert remove_old(tmp_path, 2) == ["iter_epoch_1", "iter_epoch_2", "iter_epoch_9"]
    assert sorted(path.stem for path in tmp_path.glob("*.pdparams")) == ["iter_epoch_10", "iter_epoch_11", "latest"]


def small_mv3() -> dict:
    description = architecture("mv3_small", 16)
    description["Backbone"]["scale"] = 0.35
    return description


def test_paddleocrs_own_checkpoint_goes_on(golden: Path) -> None:
    folder = golden / "ppocr_checkpoint"
    saved = load_checkpoint(str(folder / "latest"))
    assert (saved.states["epoch"], saved.states["global_step"]) == (2, 4)
    model = build_model(small_mv3())
    load_into(model, saved.params, "latest")
    section = optimizer_section(
        {"name": "Step", "learning_rate": 1e-3, "step_size": 3, "gamma": 0.1},
        regularizer={"name": "L2", "factor": 5e-4},
    )
    optimizer, schedule = build_optimizer(section, 4, 2, model.parameters())
    load_optimizer(optimizer, saved.optimizer, "latest.pdopt")
    loss, precision = build_loss({"name": "PSELoss", "reduction": "none"}), Precision("cpu")
    model.train()
    data = batches(21, 64, (12, 20), 40, 0)
    expected = np.load(folder / "continued.npz")["losses"]
    for step in range(8):
        batch = next(data)
        if step < 4:
            continue
        terms = loss(model(batch[0]), batch)
        precision.step(terms["loss"].sum(), optimizer)
        schedule.step()
        assert float(terms["loss"].mean()) == pytest.approx(expected[step, 0], abs=2e-3)
        assert optimizer.get_lr() == pytest.approx(expected[step, 1])


def test_optimizer_state_of_another_network_is_refused(golden: Path) -> None:
    saved = load_checkpoint(str(golden / "ppocr_checkpoint" / "latest"))
    section = optimizer_section({"name": "Const", "learning_rate": 1e-3})
    other = build_model(architecture("r18_vd", 16))
    optimizer, _ = build_optimizer(section, 1, 1, other.parameters())
    with pytest.raises(CheckpointError, match="accumulators 'moment1', expected"):
        load_optimizer(optimizer, saved.optimizer, "x.pdopt")
    wider = small_mv3()
    wider["Head"]["hidden_dim"] = 24
    optimizer, _ = build_optimizer(section, 1, 1, build_model(wider).parameters())
    with pytest.raises(CheckpointError, match=r"has shape \(16, 64, 3, 3\), expected \(24, 64, 3, 3\)"):
        load_optimizer(optimizer, saved.optimizer, "x.pdopt")


@pytest.mark.parametrize("prefix", ["backbone.", "", "module.backbone.", "_layers.backbone."])
def test_a_backbone_loads_with_a_verdict(tmp_path: Path, prefix: str) -> None:
    source, target = build_model(small_mv3()), build_model(small_mv3())
    names = [name for name in source.state_dict() if name.startswith("backbone.")]
    params = {prefix + name[len("backbone.") :]: source.state_dict()[name] for name in names}
    params[f"{prefix}fc.weight"] = paddle.zeros([2, 2])
    paddle.save(params, str(tmp_path / "b.pdparams"))
    before = target.head.conv1.weight.numpy()
    verdict = load_pretrained(target, str(tmp_path / "b"))
    count, rest = len(names), len(target.state_dict()) - len(names)
    assert verdict == f"loaded {count}/{count} backbone tensors from {tmp_path}/b.pdparams, {rest} new (neck, head)"
    for name in names:
        np.testing.assert_array_equal(target.state_dict()[name].numpy(), source.state_dict()[name].numpy())
    np.testing.assert_array_equal(target.head.conv1.weight.numpy(), before)


def test_a_whole_detector_loads_and_what_is_missing_or_unused_is_named(tmp_path: Path) -> None:
    source = build_model(small_mv3())
    params = dict(source.state_dict())
    paddle.save(params, str(tmp_path / "d.pdparams"))
    assert load_pretrained(build_model(small_mv3()), str(tmp_path / "d.pdparams")).startswith("loaded 254/254 tensors")
    params["extra.weight"] = params.pop("head.conv2.bias")
    paddle.save(params, str(tmp_path / "e.pdparams"))
    verdict = load_pretrained(build_model(small_mv3()), str(tmp_path / "e"))
    assert "loaded 253/254" in verdict
    assert "NOT in the file: head.conv2.bias" in verdict and "not used: extra.weight" in verdict
    with pytest.raises(CheckpointError, match=r"1 of 254 tensors are missing: head\.conv2\.bias"):
        load_into(build_model(small_mv3()), params, "e")


def test_nothing_matched_or_a_wrong_shape_is_an_error(tmp_path: Path) -> None:
    paddle.save({"layer1.weight": paddle.zeros([3])}, str(tmp_path / "other.pdparams"))
    with pytest.raises(CheckpointError, match=r"none of its 1 tensors.*layer1\.weight"):
        load_pretrained(build_model(small_mv3()), str(tmp_path / "other"))
    wider = small_mv3()
    wider["Backbone"]["scale"] = 0.5
    paddle.save(build_model(wider).state_dict(), str(tmp_path / "wider.pdparams"))
    with pytest.raises(CheckpointError, match=r"another shape: .*in the file.*in the network"):
        load_pretrained(build_model(small_mv3()), str(tmp_path / "wider"))


def test_half_precision_files_become_float32(tmp_path: Path) -> None:
    source = build_model(small_mv3())
    paddle.save({k: v.astype("float16") for k, v in source.state_dict().items()}, str(tmp_path / "h.pdparams"))
    target = build_model(small_mv3())
    load_pretrained(target, str(tmp_path / "h"))
    assert all(tensor.dtype == paddle.float32 for tensor in target.state_dict().values())
    np.testing.assert_allclose(target.head.conv1.weight.numpy(), source.head.conv1.weight.numpy(), atol=1e-3)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    with pytest.raises(CheckpointError, match="cannot write the checkpoint"):
        save_checkpoint(folder / "latest", small(1))
    folder.chmod(0o700)
    shutil.rmtree(folder)


def test_weights_are_read_without_running_what_they_name(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path}/ran",)

    (tmp_path / "w.pdparams").write_bytes(pickle.dumps({"w": Harm()}, protocol=2))
    with pytest.raises(CheckpointError, match=r"refused, nothing of it was run: it names \w+\.system"):
        load_params(str(tmp_path / "w"))
    assert not (tmp_path / "ran").exists()
