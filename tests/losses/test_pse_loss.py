"""The loss: equal to PaddleOCR's values and gradients, to a plain reference for the paper's switches, and batched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppocr_pse.build import build_loss
from ppocr_pse.losses.ohem import ohem_mask
from ppocr_pse.schema import ConfigError

TERMS = ["loss_text", "iou_text", "loss_kernels", "iou_kernel", "loss"]


def tensors(case: dict[str, np.ndarray]) -> list:
    return [None, *(paddle.to_tensor(case[key]) for key in ("text", "kernels", "mask"))]


@pytest.mark.parametrize("name", ["a", "b", "c", "d", "nopos", "allmask"])
def test_equals_paddleocr(name: str, golden: Path) -> None:
    stored = np.load(golden / "loss.npz")
    case = {key.split("/")[1]: stored[key] for key in stored.files if key.startswith(f"{name}/")}
    loss = build_loss({"name": "PSELoss", "kernel_sample_mask": str(case["mode"]), "reduction": str(case["reduction"])})
    maps = paddle.to_tensor(case["maps"], stop_gradient=False)
    terms = loss({"maps": maps}, tensors(case))
    assert list(terms) == TERMS
    for key in TERMS:
        np.testing.assert_allclose(terms[key].numpy(), case[f"out_{key}"], atol=1e-5, rtol=0)
    terms["loss"].sum().backward()
    np.testing.assert_allclose(maps.grad.numpy(), case["grad"], atol=1e-5 * max(1e-3, np.abs(case["grad"]).max()))


def dice(prediction: np.ndarray, target: np.ndarray, mask: np.ndarray) -> float:
    p, t = prediction[mask > 0], target[mask > 0]
    return 1 - 2 * (p * t).sum() / ((p * p).sum() + 1e-6 + (t * t).sum() + 1e-6)


def hard_pixels(scores: np.ndarray, text: np.ndarray, mask: np.ndarray, ratio: float) -> np.ndarray:
    """OHEM of one picture, one pixel after the other."""
    positives = int(((text > 0) & (mask > 0)).sum())
    background = sorted(scores[text == 0].tolist(), reverse=True)
    count = min(int(positives * ratio), len(background))
    if positives == 0 or count == 0:
        return mask.astype(float)
    return (((scores >= background[count - 1]) | (text > 0)) & (mask > 0)).astype(float)


def bilinear(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Half-pixel bilinear upsampling, written out."""
    (h, w), (height, width) = maps.shape[-2:], size
    y = np.clip((np.arange(height) + 0.5) * h / height - 0.5, 0, h - 1)
    x = np.clip((np.arange(width) + 0.5) * w / width - 0.5, 0, w - 1)
    y0, x0 = np.floor(y).astype(int), np.floor(x).astype(int)
    y1, x1 = np.minimum(y0 + 1, h - 1), np.minimum(x0 + 1, w - 1)
    fy, fx = (y - y0)[:, None], (x - x0)[None]
    top = maps[..., y0[:, None], x0] * (1 - fx) + maps[..., y0[:, None], x1] * fx
    bottom = maps[..., y1[:, None], x0] * (1 - fx) + maps[..., y1[:, None], x1] * fx
    return top * (1 - fy) + bottom * fy


def scene(seed: int, kernels: int = 6) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    text = np.zeros((3, 32, 40), np.uint8)
    text[0, 4:20, 6:30] = 1
    text[1, 10:16, 3:12] = 1  # the third picture has no text
    mask = np.ones_like(text)
    mask[:, :, 34:] = 0
    shrunk = np.repeat(text[:, None], kernels, 1)
    for k in range(kernels):
        shrunk[:, k, : 5 + k] = 0
    return {
        "maps": (3 * rng.standard_normal((3, 7, 8, 10))).astype(np.float32),
        "text": text,
        "kernels": shrunk,
        "mask": mask,
    }


@pytest.mark.parametrize("mode", ["pred", "gt"])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("ratio", [1, 3])
def test_paper_switches_against_a_plain_reference(mode: str, reduction: str, ratio: int) -> None:
    case = scene(1)
    loss = build_loss(
        {
            "name": "PSELoss",
            "upsample": "bilinear",
            "reduction": reduction,
            "ohem_ratio": ratio,
            "kernel_sample_mask": mode,
        }
    )
    terms = loss({"maps": paddle.to_tensor(case["maps"])}, tensors(case))
    logits = bilinear(case["maps"].astype(float), (32, 40))
    probability = 1 / (1 + np.exp(-logits))
    text_losses, kernel_losses = [], []
    for i in range(3):
        text, mask = case["text"][i], case["mask"][i]
        text_losses.append(dice(probability[i, 0], text, hard_pixels(logits[i, 0], text, mask, ratio)))
        inside = (text > 0) & (mask > 0) if mode == "gt" else (logits[i, 0] > 0) & (mask > 0)
        kernel_losses.append(np.mean([dice(probability[i, k + 1], case["kernels"][i, k], inside) for k in range(6)]))
    total = 0.7 * np.array(text_losses) + 0.3 * np.array(kernel_losses)
    reduce = {"none": lambda x: x, "mean": np.mean, "sum": np.sum}[reduction]
    np.testing.assert_allclose(terms["loss_text"].numpy(), reduce(np.array(text_losses)), atol=2e-5)
    np.testing.assert_allclose(terms["loss_kernels"].numpy(), reduce(np.array(kernel_losses)), atol=2e-5)
    np.testing.assert_allclose(terms["loss"].numpy(), reduce(total), atol=2e-5)


def test_a_perfect_map_costs_nothing() -> None:
    """Logits of +-20 exactly on the targets: dice 0, both IoUs 1."""
    case = scene(2)
    full = np.concatenate([case["text"][:, None], case["kernels"]], axis=1).astype(np.float32)
    small = full[:, :, ::4, ::4]
    case["text"], case["kernels"] = np.repeat(np.repeat(small, 4, 2), 4, 3).astype(np.uint8)[:, 0], None
    case["kernels"] = np.repeat(np.repeat(small[:, 1:], 4, 2), 4, 3).astype(np.uint8)
    loss = build_loss({"name": "PSELoss", "reduction": "none"})
    terms = loss({"maps": paddle.to_tensor(40 * small - 20)}, tensors(case))
    np.testing.assert_allclose(terms["loss"].numpy()[:2], 0, atol=1e-5)
    np.testing.assert_allclose(terms["iou_text"].numpy()[:2], 1, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0.5, 1.0, 3.0]), st.floats(0, 1), st.floats(0, 1))
def test_ohem_of_a_batch_equals_ohem_of_each_picture(seed: int, ratio: float, text_share: float, valid: float) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(-3, 4, (3, 6, 7)).astype(np.float32)  # few values, so that ties are common
    text = (rng.random((3, 6, 7)) < text_share).astype(np.float32)
    mask = (rng.random((3, 6, 7)) < valid).astype(np.float32)
    got = ohem_mask(paddle.to_tensor(scores), paddle.to_tensor(text), paddle.to_tensor(mask), ratio).numpy()
    for i in range(3):
        np.testing.assert_array_equal(got[i], hard_pixels(scores[i], text[i], mask[i], ratio))


def test_half_precision_maps_are_compared_in_float32() -> None:
    case = scene(3)
    loss = build_loss({"name": "PSELoss", "reduction": "mean"})
    half = paddle.to_tensor(case["maps"].astype(np.float16))
    terms = loss({"maps": half}, tensors(case))
    assert all(term.dtype == paddle.float32 for term in terms.values())
    exact = loss({"maps": paddle.to_tensor(case["maps"].astype(np.float16).astype(np.float32))}, tensors(case))
    assert float(terms["loss"]) == float(exact["loss"])


def test_forward_never_waits_for_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """No value is fetched to the host: item, numpy, int, float and bool of a tensor are off during forward."""
    case = scene(4)
    loss = build_loss({"name": "PSELoss"})
    maps, batch = paddle.to_tensor(case["maps"]), tensors(case)

    def refuse(self: paddle.Tensor, *args: object) -> None:
        raise AssertionError("a tensor was copied to the host")

    for method in ("item", "numpy", "__int__", "__float__", "__bool__", "tolist"):
        monkeypatch.setattr(paddle.Tensor, method, refuse)
    terms = loss({"maps": maps}, batch)
    monkeypatch.undo()
    assert np.isfinite(float(terms["loss"]))


@pytest.mark.parametrize(
    ("key", "value"), [("reduction", "avg"), ("upsample", "cubic"), ("kernel_sample_mask", "text"), ("ohem_ratio", 0)]
)
def test_wrong_switches(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=key):
        build_loss({"name": "PSELoss", key: value})
