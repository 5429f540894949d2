"""The exported program run by Paddle itself, without the passes of Paddle Inference: slow, and on every device."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ppocr_pse.deploy.engines.base import (
    FLOAT32_TOLERANCE,
    TF32_TOLERANCE,
    EngineError,
    Exported,
    Place,
    load_paddle,
)


class PaddleProgram:
    """``paddle.jit.load``.

    Args:
        exported: the files.
        place: device and threads; Paddle reads the number of threads when it is imported.

    Raises:
        EngineError: if Paddle is absent or the files cannot be loaded.
    """

    name = "paddle"
    lanes = 0  # devices are chosen thread by thread

    def __init__(self, exported: Exported, place: Place) -> None:
        self._paddle = load_paddle(place.threads)
        self._place = place
        self.tolerance = FLOAT32_TOLERANCE if place.kind == "cpu" else TF32_TOLERANCE
        program = exported.program_for(self._paddle.__version__)
        if program.suffix == ".pdmodel" and int(self._paddle.__version__.partition(".")[0]) > 2:
            raise EngineError(f"Paddle {self._paddle.__version__} loads no {program.name}; take paddle_inference")
        try:
            self._paddle.set_device(place.device)
            self._layer = self._paddle.jit.load(str(program.with_suffix("")))
        except (ValueError, RuntimeError, OSError) as error:
            raise EngineError(f"Paddle cannot load {program} ({str(error).strip()[-300:]})") from error
        self._layer.eval()

    def run(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Map float32 (B, 3, H, W) to logits float32 (B, K, h, w)."""
        with self._paddle.no_grad():
            maps = self._layer(self._paddle.to_tensor(images))
        return (maps[0] if isinstance(maps, (list, tuple)) else maps).numpy()

    def describe(self) -> str:
        """Version and device."""
        return f"Paddle {self._paddle.__version__}, {self._place.device}"
