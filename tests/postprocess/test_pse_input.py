"""What users get wrong: the message names the key, what came, and what is allowed."""

from __future__ import annotations

import builtins
import inspect
import os
import pickle
import sys

import numpy as np
import pytest

from ppocr_pse.postprocess import PSEDecoder
from ppocr_pse.postprocess.decode import default_threads
from ppocr_pse.types import ImageScale

SAME = ImageScale(100.0, 100.0, 1.0, 1.0)


def test_the_signature_is_the_schema_with_paddleocrs_defaults() -> None:
    parameters = inspect.signature(PSEDecoder).parameters
    assert {key: p.default for key, p in parameters.items()} == {
        "thresh": 0.5,
        "box_thresh": 0.85,
        "min_area": 16,
        "box_type": "quad",
        "scale": 4,
        "threads": None,
    }


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"thresh": "0"}, TypeError, r"PostProcess.thresh: a number expected, got '0'"),
        ({"thresh": float("nan")}, ValueError, r"PostProcess.thresh: a finite number expected, got nan"),
        ({"thresh": True}, TypeError, r"PostProcess.thresh"),
        (
            {"box_thresh": 85},
            ValueError,
            r"PostProcess.box_thresh: a probability from 0 to 1 expected, got 85",
        ),
        ({"box_thresh": None}, TypeError, r"PostProcess.box_thresh"),
        ({"min_area": -1}, ValueError, r"PostProcess.min_area: .* got -1"),
        ({"min_area": "16"}, TypeError, r"PostProcess.min_area: .* got '16'"),
        ({"min_area": float("nan")}, ValueError, r"PostProcess.min_area: .* got nan"),
        ({"box_type": "rect"}, ValueError, r"PostProcess.box_type: one of quad, poly expected, got 'rect'"),
        ({"scale": 3}, ValueError, r"PostProcess.scale: one of 1, 2, 4 expected, got 3"),
        ({"scale": True}, ValueError, r"PostProcess.scale"),
        ({"threads": 0}, ValueError, r"PostProcess.threads: a number >= 1 or null expected, got 0"),
    ],
)
def test_settings(arguments: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        PSEDecoder(**arguments)


@pytest.mark.parametrize(
    ("maps", "scales", "error", "message"),
    [
        (np.zeros((1, 7, 4, 4)), [SAME], TypeError, "float32 expected, got float64"),
        (np.zeros((1, 7, 4, 4), np.uint8), [SAME], TypeError, "got uint8"),
        (np.zeros((7, 4, 4), np.float32), [SAME], ValueError, r"\(B, K, h, w\) expected, got \(7, 4, 4\)"),
        (np.zeros((1, 0, 4, 4), np.float32), [SAME], ValueError, "1 to 32 kernels"),
        (np.zeros((1, 33, 4, 4), np.float32), [SAME], ValueError, "1 to 32 kernels"),
        (np.zeros((2, 7, 4, 4), np.float32), [SAME], ValueError, "got 1 for 2 pictures"),
        (np.zeros((1, 7, 4, 4), np.float32), [ImageScale(9, 9, 0, 1)], ValueError, "ratios above 0"),
        (
            np.zeros((1, 7, 4, 4), np.float32),
            [ImageScale(9, 9, 1, float("nan"))],
            ValueError,
            "ratios above 0",
        ),
    ],
)
def test_maps(maps: np.ndarray, scales: list[ImageScale], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        PSEDecoder().decode(maps, scales)


def test_a_decoder_travels_between_processes() -> None:
    decoder = pickle.loads(pickle.dumps(PSEDecoder(0.25, scale=2)))
    assert (decoder.thresh, decoder.scale) == (0.25, 2)


@pytest.mark.parametrize(("value", "threads"), [("3", 3), ("2,4", 2), ("", None), ("zero", None), ("0", None)])
def test_threads_follow_omp_num_threads(monkeypatch: pytest.MonkeyPatch, value: str, threads: int | None) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert default_threads() == (threads or cores)


def test_a_missing_build_says_how_to_make_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_native(name: str, *args: object) -> object:
        if name == "ppocr_pse.postprocess" and args[2] and "_C" in args[2]:
            raise ImportError("no such file")
        return real(name, *args)

    for name in [n for n in sys.modules if n.startswith("ppocr_pse.postprocess")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without_native)
    with pytest.raises(ImportError, match=r"pip install -e \.` or `python setup.py build_ext --inplace"):
        import ppocr_pse.postprocess  # noqa: F401
