"""Weights files: values come out as they went in; damage and code are refused, nothing is run."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppocr_pse.convert import ConvertError, read_weights
from ppocr_pse.convert.mindspore_files import read_mindspore
from ppocr_pse.convert.pickles import load_pickle
from ppocr_pse.convert.read import kind_of
from ppocr_pse.convert.torch_files import read_torch
from tests.convert import writers

RNG = np.random.default_rng(0)
ARRAYS = {
    "conv.weight": RNG.standard_normal((4, 3, 2, 2)).astype(np.float32),
    "conv.half": RNG.standard_normal((5,)).astype(np.float16),
    "steps": np.array(7, np.int64),
}
WRITERS: dict[str, Callable[[Path], Path]] = {
    "torch": lambda file: writers.write_torch(file, writers.tensors(ARRAYS)),
    "torch_legacy": lambda file: writers.write_torch(file, writers.tensors(ARRAYS), legacy=True),
    "safetensors": lambda file: writers.write_safetensors(file, ARRAYS),
}


def same(found: dict[str, Any], expected: dict[str, np.ndarray]) -> None:
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].shape == array.shape and found[name].dtype == array.dtype


@pytest.mark.parametrize("form", WRITERS)
def test_values(tmp_path: Path, form: str) -> None:
    found, kind = read_weights(WRITERS[form](tmp_path / "file.anything"))
    assert kind == form.split("_")[0]
    same(found, ARRAYS)


@pytest.mark.parametrize("legacy", [False, True])
def test_torch_views_share_a_storage(tmp_path: Path, legacy: bool) -> None:
    block = writers.Block("0", "float32", np.arange(6, dtype=np.float32))
    whole, turned = writers.Tensor(block, (2, 3), (3, 1)), writers.Tensor(block, (3, 2), (1, 3))
    last = writers.Tensor(block, (2,), (2,), offset=3)
    found = read_torch(writers.write_torch(tmp_path / "f", {"a": whole, "b": turned, "c": last}, legacy))
    grid = np.arange(6, dtype=np.float32).reshape(2, 3)
    same(found, {"a": grid, "b": grid.T, "c": np.array([3, 5], np.float32)})


def test_torch_bfloat16_becomes_float32(tmp_path: Path) -> None:
    bits = np.array([0x3F80, 0xC040], np.uint16)  # 1 and -3
    file = writers.write_torch(tmp_path / "f", {"x": writers.tensor("0", bits, "bfloat16")})
    same(read_torch(file), {"x": np.array([1, -3], np.float32)})


def test_training_checkpoints_are_opened_at_their_weights(tmp_path: Path) -> None:
    state = writers.tensors({"w": ARRAYS["conv.weight"]})
    checkpoint = {"epoch": 3, "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]}, "state_dict": state}
    found, _ = read_weights(writers.write_torch(tmp_path / "f", checkpoint))
    same(found, {"w": ARRAYS["conv.weight"]})


def test_a_window_past_its_storage_is_refused(tmp_path: Path) -> None:
    block = writers.Block("0", "float32", np.zeros(6, np.float32))
    for bad in (
        writers.Tensor(block, (7,), (1,)),
        writers.Tensor(block, (2,), (6,)),
        writers.Tensor(block, (2,), (1,), 5),
        writers.Tensor(block, (2,), (-1,), 3),
        writers.Tensor(block, (10**12,), (0,)),
    ):
        with pytest.raises(ConvertError, match=r"past its storage|no data"):
            read_torch(writers.write_torch(tmp_path / "f", {"x": bad}))


@pytest.mark.parametrize("protocol", [2, 4])
def test_paddle_state_dict(tmp_path: Path, protocol: int) -> None:
    layer = paddle.nn.Sequential(paddle.nn.Conv2D(3, 4, 3), paddle.nn.BatchNorm2D(4))
    state = layer.state_dict()
    paddle.save(state, str(tmp_path / "x.pdparams"), protocol=protocol)
    found, kind = read_weights(tmp_path / "x.pdparams")
    assert kind == "paddle"
    same(found, {name: tensor.numpy() for name, tensor in state.items()})


def test_paddle_half_precision_and_tensors_alone(tmp_path: Path) -> None:
    values = {
        "half": paddle.to_tensor([1.5, -2.0], "float16"),
        "brain": paddle.to_tensor([1.0, -3.0], "bfloat16"),
        "nested": {"lr": 0.1},
    }
    paddle.save(values, str(tmp_path / "x.pdparams"))
    found, _ = read_weights(tmp_path / "x.pdparams")
    same(found, {"half": np.array([1.5, -2.0], np.float16), "brain": np.array([1.0, -3.0], np.float32)})


def test_paddle_ocr_checkpoint(golden: Path) -> None:
    file = golden / "ppocr_checkpoint" / "latest.pdparams"
    found, _ = read_weights(file)
    loaded = paddle.load(str(file))
    same(found, {name: np.asarray(value) for name, value in loaded.items() if hasattr(value, "shape")})


def test_mindspore(tmp_path: Path) -> None:
    arrays = {"bn.gamma": np.arange(3, dtype=np.float32), "half": np.ones((2, 2), np.float16)}
    file = writers.write_mindspore(tmp_path / "x.ckpt", arrays)
    found, kind = read_weights(file)
    assert kind == "mindspore"
    same(found, arrays)
    file.write_bytes(file.read_bytes() + b"crc_num" + bytes(10))  # as with save_checkpoint(crc_check=True)
    same(read_mindspore(file), arrays)


def test_mindspore_scalars_and_tensors_in_pieces(tmp_path: Path) -> None:
    file = tmp_path / "x.ckpt"
    step = writers.mindspore_value("step", np.array(5, np.int32))
    whole = np.arange(4, dtype=np.float32).reshape(2, 2)
    pieces = []
    for half in (whole[0], whole[1]):
        proto = b"\x08\x02\x08\x02" + writers.field(2, b"Float32") + writers.field(3, half.tobytes())
        pieces.append(writers.field(1, writers.field(1, b"w") + writers.field(2, proto)))
    file.write_bytes(step + b"".join(pieces))
    same(read_mindspore(file), {"step": np.array(5, np.int32), "w": whole})


class Bomb:
    """What a hostile file holds: unpickling it with pickle, torch.load or paddle.load runs the command."""

    def __init__(self, witness: Path) -> None:
        self.command = f"touch {witness}"

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


def hostile_files(folder: Path, payload: Any) -> list[Path]:
    whole = pickle.dumps(payload, 2)
    plain, nested = folder / "x.pdparams", folder / "nested.pdparams"
    plain.write_bytes(whole)
    nested.write_bytes(pickle.dumps(OrderedDict(w=np.zeros(3, np.float32), bad=payload), 4))
    packed = folder / "x.pth"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a/data.pkl", whole)
    legacy = folder / "legacy.pth"
    legacy.write_bytes(pickle.dumps(writers.MAGIC, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2) + whole)
    legacy_head = folder / "head.pth"
    legacy_head.write_bytes(pickle.dumps(writers.MAGIC, 2) + whole)
    return [plain, nested, packed, legacy, legacy_head]


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    for file in hostile_files(tmp_path, Bomb(witness)):
        with pytest.raises(ConvertError, match=r"refused, nothing of it was run: it names (posix|nt)\.system"):
            read_weights(file)
    assert not witness.exists()
    pickle.loads(pickle.dumps(Bomb(witness)))  # the bomb is real
    assert witness.exists()


@pytest.mark.parametrize(
    "payload",
    [
        b"cbuiltins\neval\n(S'__import__(\"os\").getpid()'\n}tR.",
        b"cbuiltins\neval\n(S'data'\n(dS'data'\nI1\nsS'x'\nI2\nstR.",
        b"cbuiltins\ngetattr\n.",
        b"cnumpy\ndtype\n(S'O'\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I-1\ntS'b'\ntR.",
        b"cnumpy.testing._private.utils\nruncode\n.",
        b"S'abc'\nQ.",
    ],
    ids=["eval", "eval_more", "getattr", "object_array", "huge_array", "other_numpy", "persistent"],
)
def test_known_ways_around_a_table_of_names(payload: bytes) -> None:
    with pytest.raises(ConvertError):
        load_pickle(payload, "x")


@pytest.mark.parametrize("form", WRITERS)
def test_a_file_cut_off_anywhere_is_an_error_in_words(tmp_path: Path, form: str) -> None:
    whole = WRITERS[form](tmp_path / "whole").read_bytes()
    for size in range(0, len(whole), max(1, len(whole) // 60)):
        cut = tmp_path / "cut"
        cut.write_bytes(whole[:size])
        with pytest.raises(ConvertError):
            read_weights(cut)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_bytes_give_an_error_in_words_or_arrays(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp()
    form = data.draw(st.sampled_from([*WRITERS, "mindspore"]))
    write = WRITERS.get(form, lambda file: writers.write_mindspore(file, {"conv.half": ARRAYS["conv.half"]}))
    content = bytearray(write(folder / "damaged").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / "damaged").write_bytes(bytes(content))
    try:
        found, _ = read_weights(folder / "damaged")
    except ConvertError:
        return
    assert all(isinstance(value, np.ndarray) for value in found.values())


@pytest.mark.parametrize(("content", "message"), [(b"", "begins with"), (b"GIF89a" * 30, "begins with")])
def test_other_files(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "x"
    file.write_bytes(content)
    with pytest.raises(ConvertError, match=message):
        kind_of(file)
    with pytest.raises(ConvertError, match="no such file"):
        kind_of(tmp_path / "absent")


def test_no_tensors(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(pickle.dumps({"epoch": 3}, 2))
    with pytest.raises(ConvertError, match="no tensors in it; at the top it has epoch"):
        read_weights(tmp_path / "x")
