"""Names of other programs to ours: which program a set of names is of, and the table for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ppocr_pse.convert import from_mindspore, from_paddle, from_torch
from ppocr_pse.convert.arrays import Array
from ppocr_pse.convert.errors import ConvertError
from ppocr_pse.convert.names import COUNTER, Names, few

Settings = Mapping[str, Mapping[str, Any]]

RGB = (
    "it learned on RGB pictures: write `img_mode: RGB` under DecodeImage in Train and Eval (PaddleOCR's weights "
    "take BGR)"
)


@dataclass(frozen=True)
class Format:
    """A program whose weights can be brought.

    Attributes:
        names: file's names to ours; None for a tensor that has no place here, or a reason in brackets.
        marks: patterns; one of its names matching one of them makes a set of names this program's.
        detector: whether its files may hold neck and head; if not, a backbone is all that can be expected.
        settings: keys of the Architecture that its networks need to compute the same, by part and component.
        notes: what the user must know besides.
    """

    names: Callable[[Sequence[str]], Names]
    marks: tuple[str, ...]
    detector: bool = False
    settings: Settings = field(default_factory=dict)
    notes: tuple[str, ...] = ()


HALF_PIXEL = {"FPN": {"upsample": "half_pixel"}}
POOL_BOTH = {"ResNet": {"pool_padding": "both"}}
# tried from the first to the last by `auto`
FORMATS: Mapping[str, Format] = {
    "psenet": Format(
        from_torch.psenet, (r"^det_head\.", r"^toplayer_bn\.", r"^fpn\.toplayer_\."), True, {**POOL_BOTH, **HALF_PIXEL},
        (RGB, "weights that PyTorch before 0.4 trained want `upsample: align_corners` under Architecture.Neck"),
    ),
    "mindocr": Format(
        from_mindspore.mindocr, (r"\.moving_mean$",), True,
        {"ResNet": {"pool_padding": "end"}, "MobileNetV3": {"variant": "mindocr"}, "FPN": {"upsample": "asymmetric"}},
        (RGB,),
    ),
    "timm": Format(
        from_torch.timm, (r"^blocks\.0\.0\.conv_dw\.", r"^conv1\.0\.weight$"), False,
        {**POOL_BOTH, "MobileNetV3": {"variant": "timm"}}, (RGB,),
    ),
    "torchvision": Format(from_torch.torchvision, (r"^layer1\.0\.bn1\.running_mean$",), False, POOL_BOTH, (RGB,)),
    "paddleclas": Format(
        from_paddle.paddleclas, (r"^blocks\.0\.conv0\.", r"^blocks\.0\.bottleneck_conv\.", r"^last_second_conv\."),
        False, {"MobileNetV3": {"variant": "ppocr"}, **POOL_BOTH}, (RGB,),
    ),
    "paddleocr": Format(
        from_paddle.paddleocr, (r"\._mean$",), True
    ),
}  # fmt: skip
PREFIX = re.compile(r"^((module|_layers|_orig_mod|model|network|_network|Student|student|base_model)\.)+")
TEACHER = re.compile(r"^((module|_layers)\.)*(Teacher|teacher|ema|_ema)\.")


@dataclass(frozen=True)
class Translation:
    """The tensors of a file under our names.

    Attributes:
        format: key of FORMATS.
        tensors: float32 arrays by our names.
        origins: our name to the name in the file.
        left_out: names in the file that have no place here, and why.
        made: our names whose tensors the file does not have but determines, and how.
    """

    format: str
    tensors: dict[str, Array]
    origins: dict[str, str]
    left_out: dict[str, str]
    made: dict[str, str]


def translate(tensors: Mapping[str, Array], format_name: str = "auto") -> Translation:
    """Rename the tensors of another program, and change values where its layers are cut otherwise.

    Args:
        tensors: arrays by the names in the file.
        format_name: key of FORMATS, or ``auto``.

    Raises:
        ConvertError: if the names are not that program's, or two tensors claim one place.
    """
    left_out = {name: "of the teacher, or an average" for name in tensors if TEACHER.match(name)}
    bare = {PREFIX.sub("", name): name for name in tensors if name not in left_out}
    if len(bare) != len(tensors) - len(left_out):
        raise ConvertError("two tensors have one name once module., model., Student. and the like are cut off")
    name_of_format = guess_format(list(bare)) if format_name == "auto" else format_name
    names = FORMATS[name_of_format].names(list(bare))
    ours: dict[str, Array] = {}
    origins: dict[str, str] = {}
    for theirs, original in bare.items():
        target = names.places.get(theirs)
        if theirs.endswith(COUNTER):
            left_out[original] = "counter of steps, which Paddle does not keep"
        elif target is None:
            left_out[original] = names.reasons.get(theirs, "no place for it in this network")
        elif target in ours:
            raise ConvertError(f"{original} and {origins[target]} both claim the place of {target}")
        else:
            value = tensors[original]
            ours[target] = value.astype(np.float32) if value.dtype.kind in "fiu" else value
            origins[target] = original
    if not ours:
        raise ConvertError(
            f"none of its {len(tensors)} names is of the format {name_of_format}: {few(list(tensors))}. "
            f"Known formats: {', '.join(FORMATS)}"
        )
    made = names.finish(ours)
    return Translation(name_of_format, ours, origins, left_out, made)


def guess_format(names: Sequence[str]) -> str:
    """Tell whose names they are.

    Raises:
        ConvertError: if they are no known program's.
    """
    for format_name, known in FORMATS.items():
        if any(re.search(mark, name) for mark in known.marks for name in names):
            return format_name
    raise ConvertError(
        f"names of no known program: {few(list(names))}. Known formats: {', '.join(FORMATS)}; say --from"
    )
