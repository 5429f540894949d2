"""Two kernels of 16 bits that Paddle has for cards only, so that an O2 run can take its steps on the test device.

The test device falls back to Paddle's CPU kernels. Of those, `conv2d` has no 16-bit one (tests put it on the custom
black list, so it runs in float32), and neither have Adam and the check of a loss scaler. The latter two are
put in place here with the meaning that they have on a card: Adam computes on the float32 master weight and rounds the
result into the parameter; the scaler's check divides the gradients in place and tells whether all are finite.
"""

from __future__ import annotations

from typing import Any

import paddle
from paddle import _C_ops, _legacy_C_ops

WIDE = (paddle.float32, paddle.float64)


def install() -> None:
    """Put both kernels in place for this process."""
    adam, check = _C_ops.adam_, _legacy_C_ops.check_finite_and_unscale

    def adam_of_any_width(parameter: Any, gradient: Any, *rest: Any) -> Any:
        if parameter.dtype in WIDE:
            return adam(parameter, gradient, *rest)
        # six state tensors, master weight, skip, beta1, beta2, epsilon, lazy, chunk, multi_precision, global, amsgrad
        state, master, skip, plain = rest[:6], rest[6], rest[7], list(rest[8:])
        assert master is not None and plain[-3] is True
        plain[-3] = False
        result = adam(master, gradient.astype("float32"), *state, None, skip, *plain)
        parameter.set_value(master.astype(parameter.dtype))
        return result

    def check_of_any_width(gradients: Any, scale: Any, results: Any, found: Any) -> Any:
        if all(gradient.dtype in WIDE for gradient in gradients):
            return check(gradients, scale, results, found)
        wide = [gradient.astype("float32") for gradient in gradients]
        returned = check(wide, scale, wide, found)
        for result, value in zip(results, wide):
            result.set_value(value.astype(result.dtype))
        return returned

    _C_ops.adam_, _legacy_C_ops.check_finite_and_unscale = adam_of_any_width, check_of_any_width
