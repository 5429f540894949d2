"""What the tests of conversions share; imports neither Paddle nor any program that is converted from."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

import numpy as np

LAYERS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def filled(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Random values that keep activations near 1 through 152 layers."""
    x = rng.standard_normal(shape)
    if "var" in name:
        x = 1 + 0.3 * abs(x)
    elif len(shape) in (2, 4):
        x = x * np.sqrt(2 / np.prod(shape[1:]))
    elif name.endswith(("weight", "gamma")):
        last = any(part in name for part in ("bn2.", "bn3.", "downsample.", "down_sample."))
        x = (0.4 if last else 1.0) + 0.1 * x
    else:
        x = 0.2 * x
    return x.astype(np.float32)


def bare_package(name: str) -> None:
    """Make an installed package importable without running its `__init__`, which would ask for all that it needs."""
    if name in sys.modules:
        return
    top, *rest = name.split(".")
    if top in sys.modules:
        place = sys.modules[top].__path__[0]
    else:
        spec = importlib.util.find_spec(top)
        assert spec is not None and spec.submodule_search_locations, f"{top} is not installed"
        place = spec.submodule_search_locations[0]
    package = types.ModuleType(name)
    package.__path__ = [str(Path(place).joinpath(*rest))]
    sys.modules[name] = package
