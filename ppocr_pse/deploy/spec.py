"""inference.yml: everything a predictor needs to know besides the network itself, in PaddleOCR's form.

PaddleOCR's own exports of PSE can be read; what it leaves out (``Export``) cannot be checked then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from ppocr_pse.data.preprocess import (
    DEFAULT_LIMIT,
    DecodeImage,
    DetResizeForTest,
    NormalizeImage,
    Preprocess,
    ToCHWImage,
)
from ppocr_pse.deploy.probe import Probe
from ppocr_pse.postprocess import PSEDecoder
from ppocr_pse.schema import ConfigError, Section, choose, construct, suggest

FILE_NAME = "inference.yml"
FORMAT = 1
STEPS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "DecodeImage": DecodeImage,
        "DetResizeForTest": DetResizeForTest,
        "NormalizeImage": NormalizeImage,
        "ToCHWImage": ToCHWImage,
    }
)
WITHOUT_EFFECT = ("DetLabelEncode", "KeepKeys")  # PaddleOCR copies them from Eval; they concern labels
DECODERS: Mapping[str, Callable[..., PSEDecoder]] = MappingProxyType({"PSEPostProcess": PSEDecoder})


@dataclass(frozen=True)
class Facts:
    """Where an export comes from.

    Attributes:
        weights: SHA-256 of the checkpoint's tensors, see `ppocr_pse.deploy.digests.weights_digest`.
        versions: of this package, Paddle and paddle2onnx.
        files: SHA-256 by file name.
        differences: largest relative difference of the logits from the checkpoint's, by engine, as measured at export.
    """

    weights: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    differences: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class InferenceSpec:
    """What inference.yml holds.

    Attributes:
        preprocess: from a picture to the network.
        decoder: from logits to detections.
        architecture: the Architecture section; empty in PaddleOCR's exports.
        facts: where it comes from; empty in PaddleOCR's exports.
        probe: a known input's logits, or None in PaddleOCR's exports.
    """

    preprocess: Preprocess
    decoder: PSEDecoder
    architecture: Mapping[str, Any] = field(default_factory=dict)
    facts: Facts = Facts()
    probe: Probe | None = None

    @property
    def model_name(self) -> str:
        """Algorithm and backbone, such as ``PSE_MobileNetV3``."""
        backbone = self.architecture.get("Backbone") or {}
        return "_".join(str(part) for part in ("PSE", backbone.get("name"), backbone.get("layers")) if part)

    def as_mapping(self) -> dict[str, Any]:
        """The content of the file; every parameter is written, defaults too."""
        content: dict[str, Any] = {
            "Global": {"model_name": self.model_name},
            "Architecture": _plain(self.architecture),
            "PreProcess": {"transform_ops": describe_preprocess(self.preprocess)},
            "PostProcess": describe_decoder(self.decoder),
            "Export": {
                "format": FORMAT,
                "weights_sha256": self.facts.weights,
                "versions": dict(self.facts.versions),
                "files_sha256": dict(self.facts.files),
                "largest_difference": {name: float(f"{d:.3g}") for name, d in self.facts.differences.items()},
            },
        }
        if self.probe is not None:
            content["Export"]["probe"] = self.probe.as_mapping()
        return content


@dataclass(frozen=True)
class Overrides:
    """What a caller wants otherwise than inference.yml has it; None leaves it as it is there.

    Args:
        limit_side_len: pixels, see DetResizeForTest; with either this or limit_type an ``image_shape`` or
            ``resize_long`` of the file gives way.
        limit_type: ``min``, ``max`` or ``resize_long``.
        thresh: on logits, see PSEDecoder.
        box_thresh: least mean probability, 0 to 1.
        min_area: pixels of the label map.
        box_type: ``quad`` or ``poly``.
        scale: 1, 2 or 4.
    """

    limit_side_len: int | None = None
    limit_type: str | None = None
    thresh: float | None = None
    box_thresh: float | None = None
    min_area: int | None = None
    box_type: str | None = None
    scale: int | None = None

    def apply(self, spec: InferenceSpec) -> InferenceSpec:
        """Return the specification with what is given put in.

        Raises:
            ConfigError: for a value out of range.
        """
        resize = spec.preprocess.resize
        try:
            if self.limit_side_len is not None or self.limit_type is not None:
                limit = self.limit_side_len or resize.limit_side_len or resize.resize_long or DEFAULT_LIMIT
                resize = DetResizeForTest(limit_side_len=limit, limit_type=self.limit_type or resize.limit_type)
            settings = {key: value for key, value in describe_decoder(spec.decoder).items() if key != "name"}
            asked = {key: getattr(self, key) for key in settings}
            settings |= {key: value for key, value in asked.items() if value is not None}
            decoder = PSEDecoder(**settings, threads=spec.decoder.threads)
        except (ValueError, TypeError) as error:
            raise ConfigError(str(error)) from error
        return replace(spec, preprocess=replace(spec.preprocess, resize=resize), decoder=decoder)


def describe_preprocess(preprocess: Preprocess) -> list[dict[str, Any]]:
    """The transforms as a list of PaddleOCR's operations."""
    resize, normalize = preprocess.resize, preprocess.normalize
    if resize.image_shape is not None:
        size: dict[str, Any] = {"image_shape": list(resize.image_shape), "keep_ratio": resize.keep_ratio}
    elif resize.limit_side_len is None and resize.resize_long is not None:
        size = {"resize_long": resize.resize_long}
    else:
        size = {"limit_side_len": resize.limit_side_len or DEFAULT_LIMIT, "limit_type": resize.limit_type}
    return [
        {"DecodeImage": asdict(preprocess.decode)},
        {"DetResizeForTest": size},
        {
            "NormalizeImage": {
                "scale": float(normalize.scale),
                "mean": [float(str(value)) for value in normalize.mean],  # float32's own digits, not float64's
                "std": [float(str(value)) for value in normalize.std],
                "order": "hwc",
            }
        },
        {"ToCHWImage": None},
    ]


def describe_decoder(decoder: PSEDecoder) -> dict[str, Any]:
    """The PostProcess section of a decoder."""
    keys = ("thresh", "box_thresh", "min_area", "box_type", "scale")
    return {"name": "PSEPostProcess", **{key: getattr(decoder, key) for key in keys}}


def write_spec(folder: Path, spec: InferenceSpec) -> None:
    """Write inference.yml into a folder."""
    text = yaml.safe_dump(spec.as_mapping(), sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
    (folder / FILE_NAME).write_text(text, encoding="utf-8")


def read_spec(folder: Path) -> InferenceSpec:
    """Read inference.yml of a folder, ours or PaddleOCR's.

    Raises:
        ConfigError: if it is missing, or does not describe a PSE detector; names file and key.
    """
    file = folder / FILE_NAME
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{folder} is no exported model: it has no {FILE_NAME}; make it with tools/export_model.py "
            "-c CONFIG -o Global.pretrained_model=... Global.save_inference_dir=DIR"
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{file}: cannot be read ({' '.join(str(error).split())[:200]})") from error
    if not isinstance(content, Mapping):
        raise ConfigError(f"{file}: got {type(content).__name__}, expected a mapping with PreProcess and PostProcess")
    steps = (content.get("PreProcess") or {}).get("transform_ops")
    decoder, settings = choose(DECODERS, content.get("PostProcess"), f"{file}: PostProcess")
    export = content.get("Export") or {}
    probe = export.get("probe")
    return InferenceSpec(
        _read_preprocess(steps, f"{file}: PreProcess.transform_ops"),
        construct(decoder, settings, f"{file}: PostProcess"),
        content.get("Architecture") or {},
        _read_facts(export, f"{file}: Export"),
        None if probe is None else Probe.from_mapping(probe, f"{file}: Export.probe"),
    )


def _read_preprocess(steps: Any, where: str) -> Preprocess:
    if not isinstance(steps, list):
        raise ConfigError(f"{where}: got {steps!r}, expected a list of operations")
    made: dict[str, Any] = {}
    for i, entry in enumerate(steps):
        if not isinstance(entry, Mapping) or len(entry) != 1:
            raise ConfigError(f"{where}.{i}: got {entry!r}, expected one operation")
        (name, settings), *_ = entry.items()
        if name in WITHOUT_EFFECT:
            continue
        if name not in STEPS:
            raise ConfigError(f"{where}.{i}: unknown operation {name!r}{suggest(str(name), STEPS)}")
        made[name] = construct(STEPS[name], Section(settings or {}), f"{where}.{i}.{name}")
    missing = [name for name in STEPS if name not in made]
    if missing:
        raise ConfigError(f"{where}: {', '.join(missing)} missing")
    return Preprocess(made["DecodeImage"], made["DetResizeForTest"], made["NormalizeImage"])


def _read_facts(export: Any, where: str) -> Facts:
    if not isinstance(export, Mapping) or export.get("format", FORMAT) != FORMAT:
        found = export.get("format") if isinstance(export, Mapping) else export
        raise ConfigError(f"{where}.format: got {found!r}, expected {FORMAT}; export again with this version")
    differences = {key: float(value) for key, value in (export.get("largest_difference") or {}).items()}
    return Facts(
        str(export.get("weights_sha256", "")),
        dict(export.get("versions") or {}),
        dict(export.get("files_sha256") or {}),
        {key: value for key, value in differences.items() if not math.isnan(value)},
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
