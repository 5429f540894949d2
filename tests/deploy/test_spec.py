from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ppocr_pse.data.preprocess import DecodeImage, DetResizeForTest, NormalizeImage, Preprocess
from ppocr_pse.deploy.spec import (
    InferenceSpec,
    Overrides,
    describe_decoder,
    describe_preprocess,
    read_spec,
    write_spec,
)
from ppocr_pse.postprocess import PSEDecoder
from ppocr_pse.schema import ConfigError
from tests.deploy.conftest import make_spec

PADDLEOCR = """
PreProcess:
  transform_ops:
  - DecodeImage: {channel_first: false, img_mode: BGR}
  - DetLabelEncode: null
  - DetResizeForTest: {limit_side_len: 736, limit_type: min}
  - NormalizeImage: {mean: [0.485, 0.456, 0.406], order: hwc, scale: 1./255., std: [0.229, 0.224, 0.225]}
  - ToCHWImage: null
  - KeepKeys: {keep_keys: [image, shape, polys, ignore_tags]}
PostProcess: {name: PSEPostProcess, thresh: 0, box_thresh: 0.85, min_area: 16, box_type: quad, scale: 1}
"""

RESIZES = [
    DetResizeForTest(),
    DetResizeForTest(limit_side_len=960, limit_type="max"),
    DetResizeForTest(resize_long=1280),
    DetResizeForTest(image_shape=[640, 960]),
    DetResizeForTest(image_shape=[640, 960], keep_ratio=True),
]


@pytest.mark.parametrize("resize", RESIZES, ids=str)
def test_every_parameter_comes_back(resize: DetResizeForTest, tmp_path: Path) -> None:
    normalize = NormalizeImage("1./256.", [0.1, 0.2, 0.3], [0.4, 0.5, 0.6])
    preprocess = Preprocess(DecodeImage("RGB", ignore_orientation=True), resize, normalize)
    decoder = PSEDecoder(thresh=-0.25, box_thresh=0.7, min_area=9, box_type="poly", scale=2)
    write_spec(tmp_path, InferenceSpec(preprocess, decoder, {"Backbone": {"name": "X"}}))
    back = read_spec(tmp_path)
    assert back.preprocess.decode == preprocess.decode
    assert describe_decoder(back.decoder) == describe_decoder(decoder)
    assert describe_preprocess(back.preprocess) == describe_preprocess(preprocess)
    assert (back.preprocess.normalize.mean == normalize.mean).all()
    assert back.preprocess.normalize.scale == normalize.scale
    for size in ((720, 1280), (100, 3000), (40, 50)):
        assert back.preprocess.resize.target_size(*size) == resize.target_size(*size)


def test_defaults_are_written_out(tmp_path: Path) -> None:
    write_spec(tmp_path, replace(make_spec(), decoder=PSEDecoder()))
    written = yaml.safe_load((tmp_path / "inference.yml").read_text())
    assert written["PostProcess"] == {
        "name": "PSEPostProcess", "thresh": 0.5, "box_thresh": 0.85, "min_area": 16, "box_type": "quad", "scale": 4,
    }  # fmt: skip
    assert {"DetResizeForTest": {"limit_side_len": 64, "limit_type": "min"}} in written["PreProcess"]["transform_ops"]


def test_an_export_by_paddleocr_is_read(tmp_path: Path) -> None:
    (tmp_path / "inference.yml").write_text(PADDLEOCR)
    spec = read_spec(tmp_path)
    assert spec.preprocess.resize == DetResizeForTest(limit_side_len=736)
    assert (spec.decoder.thresh, spec.decoder.box_thresh, spec.decoder.scale) == (0.0, 0.85, 1)
    assert spec.probe is None
    assert spec.facts.files == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("PSEPostProcess", "DBPostProcess"), r"inference.yml: PostProcess.name: unknown name 'DBPostProcess'"),
        (("box_thresh", "box_tresh"), "PostProcess.box_tresh: unknown key; did you mean 'box_thresh'"),
        (("DetResizeForTest", "Pad"), r"transform_ops.2: unknown operation 'Pad'"),
        (("  - ToCHWImage: null\n", ""), "ToCHWImage missing"),
        (("limit_type: min", "limit_type: short"), "limit_type is 'short'"),
        (("PreProcess", "Preprocess"), "got None, expected a list of operations"),
        (("PostProcess: {", "PostProcess: {{"), "cannot be read"),
        (("PreProcess:", "Export: {format: 9}\nPreProcess:"), "format: got 9, expected 1"),
        (("PreProcess:", "Export: {probe: [1]}\nPreProcess:"), "Export.probe: expected shape and logits"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_named(change: tuple[str, str], message: str, tmp_path: Path) -> None:
    (tmp_path / "inference.yml").write_text(PADDLEOCR.replace(*change))
    with pytest.raises(ConfigError, match=message):
        read_spec(tmp_path)


def test_a_folder_without_the_file_is_no_export(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no inference.yml; make it with tools/export_model.py"):
        read_spec(tmp_path)


def test_only_what_is_given_is_overridden() -> None:
    spec = make_spec()
    assert describe_decoder(Overrides().apply(spec).decoder) == describe_decoder(spec.decoder)
    assert Overrides().apply(spec).preprocess == spec.preprocess
    changed = Overrides(box_thresh=0.0, thresh=0.0, limit_type="max").apply(spec)
    assert describe_decoder(changed.decoder) == {**describe_decoder(spec.decoder), "box_thresh": 0.0}
    assert changed.preprocess.resize == DetResizeForTest(limit_side_len=64, limit_type="max")


def test_a_limit_replaces_a_fixed_shape() -> None:
    spec = make_spec()
    fixed = replace(spec, preprocess=replace(spec.preprocess, resize=DetResizeForTest(image_shape=[640, 640])))
    assert Overrides(limit_side_len=320).apply(fixed).preprocess.resize == DetResizeForTest(limit_side_len=320)
    assert Overrides(box_type="poly").apply(fixed).preprocess.resize.image_shape == [640, 640]


@pytest.mark.parametrize("wrong", [Overrides(scale=3), Overrides(box_thresh=2.0), Overrides(limit_type="short")])
def test_an_override_out_of_range_is_refused(wrong: Overrides) -> None:
    with pytest.raises(ConfigError, match="expected"):
        wrong.apply(make_spec())
