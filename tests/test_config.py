"""Configurations: PaddleOCR's files load and build; every wrong key is named with file, line and the nearest name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ppocr_pse import build
from ppocr_pse.config import load_config
from ppocr_pse.schema import ConfigError

SHIPPED = (
    "det_r50_vd_pse",
    "det_mv3_pse",
    "det_r152_vd_pse",
    "det_r50_vd_pse_ctw1500",
    "det_r50_pse",
    "det_r152_pse",
    "det_r152_pse_ctw1500",
    "quickstart",
    "finetune_mv3_pse",
    "finetune_demo",
)


def upstream(configs: Path, tmp_path: Path, name: str) -> Path:
    """A file as PaddleOCR ships it: without our switches, with its spellings (an empty Transform)."""
    tree = yaml.safe_load(load_config(configs / f"{name}.yml").dump())
    del tree["Architecture"]["Neck"]["bn_momentum"], tree["Loss"]["upsample"]
    transforms = tree["Train"]["dataset"]["transforms"]
    del transforms[4]["MakePseGt"]["target"]
    text = yaml.safe_dump(tree, sort_keys=False)
    if name == "det_mv3_pse":
        newer = "{'type': RandomScale, 'args': {'scale_limit': ( 0.5, 3 )}}"  # as it stands in PaddleOCR's file
        text, count = re.subn(r"- type: Resize\n +args:\n +size:\n +- 0.5\n +- 3\n", f"- {newer}\n", text)
        assert count == 1
        text = text.replace("type: Fliplr", "type: HorizontalFlip")
    file = tmp_path / f"{name}.yml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_configurations_build(configs: Path, name: str) -> None:
    config = load_config(configs / f"{name}.yml")
    build.build_loss(config.section("Loss"))
    build.build_postprocess(config.section("PostProcess"))
    build.build_metric(config.section("Metric"))
    build.build_preprocess(config)
    chain = build.build_train_chain(config.section("Train")["dataset"]["transforms"])
    assert chain.targets.kernel_num == 7
    if "r152" not in name:
        model = build.build_model(config.section("Architecture"))
        build.build_optimizer(config.section("Optimizer"), 2, 3, model.parameters())


@pytest.mark.parametrize("name", ["det_r50_vd_pse", "det_mv3_pse"])
def test_paddleocr_files_load_and_build(configs: Path, tmp_path: Path, name: str) -> None:
    config = load_config(upstream(configs, tmp_path, name))
    chain = build.build_train_chain(config.section("Train")["dataset"]["transforms"])
    assert chain.targets.target == "ppocr"
    assert chain.policies[1].specs[0].name == "Resize" and chain.policies[1].specs[0].args == {"size": (0.5, 3.0)}
    assert build.build_loss(config.section("Loss")).upsample == "nearest"
    model = build.build_model(config.section("Architecture"))
    assert model.neck.toplayer_.bn._momentum == 0.1
    assert config.settings.eval_start_and_every == ((0, 125) if "r50" in name else (0, 63))
    assert config.settings.use_amp is False


def test_upstream_values_of_r50(configs: Path) -> None:
    config = load_config(configs / "det_r50_vd_pse.yml")
    assert (config.settings.epoch_num, config.settings.save_epoch_step) == (600, 600)
    assert config.tree["Optimizer"]["lr"] == {"name": "Step", "learning_rate": 1e-4, "step_size": 200, "gamma": 0.1}
    assert config.tree["PostProcess"]["box_thresh"] == 0.85
    assert config.tree["Train"]["loader"]["batch_size_per_card"] == 8
    mv3 = load_config(configs / "det_mv3_pse.yml")
    assert mv3.tree["Architecture"]["Backbone"] == {"name": "MobileNetV3", "scale": 0.5, "model_name": "large"}
    assert mv3.tree["Optimizer"]["lr"]["learning_rate"] == 1e-3
    assert mv3.tree["Train"]["loader"]["batch_size_per_card"] == 16


def test_mission_command_overrides(configs: Path) -> None:
    overrides = ["Global.use_amp=True", "Global.scale_loss=1024.0", "Global.use_dynamic_loss_scaling=True"]
    settings = load_config(configs / "det_r50_vd_pse.yml", overrides).settings
    assert (settings.use_amp, settings.scale_loss, settings.use_dynamic_loss_scaling) == (True, 1024.0, True)


def test_overrides(configs: Path) -> None:
    config = load_config(
        configs / "det_r50_vd_pse.yml",
        [
            "Optimizer.lr.learning_rate=1e-4",
            "Global.save_model_dir=out/a=b",
            "Train.dataset.transforms.2.ColorJitter.brightness=0.3",
            "Train.dataset.label_file_list=[a.txt, b.txt]",
            "Train.dataset.ratio_list=[1.0, 0.5]",
            "Global.pretrained_model=",
            "Eval.loader.num_workers=0",
        ],
    )
    assert config.tree["Optimizer"]["lr"]["learning_rate"] == pytest.approx(1e-4)
    assert config.settings.save_model_dir == "out/a=b"
    assert config.tree["Train"]["dataset"]["transforms"][2]["ColorJitter"]["brightness"] == 0.3
    assert config.tree["Train"]["dataset"]["label_file_list"] == ["a.txt", "b.txt"]
    assert config.settings.pretrained_model is None


MISSPELT = [
    ("Global.epoch_nums=3", "Global.epoch_nums: unknown key; did you mean 'epoch_num'?"),
    ("Architecture.Bakbone={name: FPN}", "Architecture.Bakbone: unknown key; did you mean 'Backbone'?"),
    ("Architecture.Backbone.layer=50", "Architecture.Backbone.layer: unknown key; did you mean 'layers'?"),
    ("Architecture.Neck.outchannels=50", "Architecture.Neck.outchannels: unknown key; did you mean 'out_channels'?"),
    ("Architecture.Head.hiden_dim=50", "Architecture.Head.hiden_dim: unknown key; did you mean 'hidden_dim'?"),
    ("Loss.ohem_ration=3", "Loss.ohem_ration: unknown key; did you mean 'ohem_ratio'?"),
    ("Optimizer.epsilom=0.9", "Optimizer.epsilom: unknown key; did you mean 'epsilon'?"),
    ("Optimizer.lr.stepsize=3", "Optimizer.lr.stepsize: unknown key; did you mean 'step_size'?"),
    ("Optimizer.lr.name=Steps", "Optimizer.lr.name: unknown name 'Steps'; did you mean 'Step'?"),
    ("Optimizer.regularizer.facter=3", "Optimizer.regularizer.facter: unknown key; did you mean 'factor'?"),
    ("PostProcess.box_tresh=0.5", "PostProcess.box_tresh: unknown key; did you mean 'box_thresh'?"),
    ("Metric.main_indicater=hmean", "Metric.main_indicater: unknown key; did you mean 'main_indicator'?"),
    ("Train.dataset.datadir=x", "Train.dataset.datadir: unknown key; did you mean 'data_dir'?"),
    ("Train.loader.batch_size=4", "Train.loader.batch_size: unknown key; did you mean 'batch_size_per_card'?"),
    ("Train.dataset.transforms.4.MakePseGt.kernels=7", "MakePseGt.kernels: unknown key; did you mean 'kernel_num'?"),
    ("Eval.dataset.transforms.2={DetResizeTest: null}", "unknown operation 'DetResizeTest'; did you mean"),
    ("Eval.loadr={}", "Eval.loadr: unknown key; did you mean 'loader'?"),
    ("Metrik.name=DetMetric", "Metrik: unknown section; did you mean 'Metric'?"),
]


@pytest.mark.parametrize(("override", "message"), MISSPELT)
def test_a_misspelt_key_names_the_nearest_known_one(configs: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(configs / "det_r50_vd_pse.yml", [override])
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("Global.epoch_num=ten", "got 'ten' (str), expected a whole number"),
        ("Global.use_gpu=1", "expected true or false"),
        ("Global.cal_metric_during_train=true", "cal_metric_during_train is true, expected false"),
        ("Global.amp_level=O3", "amp_level is 'O3', expected O1 or O2"),
        ("Global.eval_batch_step=[1,2,3]", "expected [start, every]"),
        ("Global", "expected SECTION.key=VALUE"),
        ("Train.dataset.transforms.99.ColorJitter.brightness=1", "expected an index from 0 to 8"),
        ("Global.epoch_num.x=1", "which has no keys"),
        ("Global.epoch_num=[1", "not valid YAML"),
        ("Optimizer.lr=", "Optimizer.lr: got None"),
        ("Optimizer.lr={name: Step, learning_rate: 0.1}", "step_size missing"),
    ],
)
def test_wrong_values(configs: Path, override: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(configs / "det_r50_vd_pse.yml", [override])
    assert words in str(error.value)


def write(tmp_path: Path, name: str, text: str) -> Path:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def test_the_place_of_a_wrong_key_is_told(tmp_path: Path) -> None:
    file = write(tmp_path, "a.yml", "Global:\n  epoch_num: 3\n  sed: 4\n")
    with pytest.raises(ConfigError, match=r"a\.yml:3: Global\.sed: unknown key; did you mean 'seed'"):
        load_config(file)


def test_base_is_merged_and_told_apart(tmp_path: Path) -> None:
    write(tmp_path, "base.yaml", "Global: {epoch_num: 3, seed: 5}\nLoss: {name: PSELoss, alpha: 0.5}\n")
    child = write(tmp_path, "child.yml", "_BASE_: base.yaml\nGlobal:\n  epoch_num: 9\n")
    config = load_config(child)
    assert (config.settings.epoch_num, config.settings.seed, config.tree["Loss"]["alpha"]) == (9, 5, 0.5)
    wrong = write(tmp_path, "wrong.yml", "_BASE_: base.yaml\nLoss:\n  beta: 1\n")
    with pytest.raises(ConfigError, match=r"wrong\.yml:3: Loss\.beta"):
        load_config(wrong)


def test_another_name_drops_the_arguments_of_the_old_one(tmp_path: Path) -> None:
    optimizer = "Optimizer: {name: Adam, beta1: 0.9, lr: {name: Const, learning_rate: 0.1}}\n"
    write(tmp_path, "base.yml", optimizer)
    child = write(tmp_path, "child.yml", "_BASE_: base.yml\nOptimizer: {name: Momentum, momentum: 0.8}\n")
    assert load_config(child).tree["Optimizer"] == {
        "name": "Momentum",
        "momentum": 0.8,
        "lr": {"name": "Const", "learning_rate": 0.1},
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("_BASE_: a.yml\n", "leads back"),
        ("Global: {seed: 1}\nGlobal: {seed: 2}\n", "a.yml:2: the key 'Global' stands here for the second time"),
        ("Global: [\n", "not valid YAML"),
        ("- 1\n", "expected sections"),
        ("Global: !!python/object/apply:os.system ['true']\n", "not valid YAML"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(write(tmp_path, "a.yml", text))
    assert words in str(error.value)


def test_absent_file_and_wrong_ending(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        load_config(tmp_path / "absent.yml")
    with pytest.raises(ConfigError, match=r"ends in \.yml or \.yaml"):
        load_config(tmp_path / "a.json")


def test_maps_of_network_and_targets_must_agree(configs: Path, bars: Path) -> None:
    config = load_config(
        configs / "quickstart.yml",
        [
            f"Train.dataset.data_dir={bars}",
            f"Train.dataset.label_file_list={bars}/label.txt",
            "Architecture.Head.out_channels=6",
        ],
    )
    pool = build.build_annotations(config, "Train")
    with pytest.raises(ConfigError, match=r"kernel_num is 7, but the network has .*out_channels 6"):
        build.build_train_loader(config, pool)


def test_transforms_in_an_order_that_cannot_work(configs: Path) -> None:
    entries = list(load_config(configs / "det_r50_vd_pse.yml").section("Train")["dataset"]["transforms"])
    with pytest.raises(ConfigError, match="MakePseGt stands there 0 times"):
        build.build_train_chain([entry for entry in entries if "MakePseGt" not in entry])
    with pytest.raises(ConfigError, match="ColorJitter stands after MakePseGt"):
        build.build_train_chain([*entries, {"ColorJitter": {"hue": 0.1}}][:2] + entries[3:] + [{"ColorJitter": None}])


def test_a_transform_of_the_other_list_is_refused(configs: Path) -> None:
    config = load_config(configs / "det_r50_vd_pse.yml")
    train, evaluation = (list(config.section(name)["dataset"]["transforms"]) for name in ("Train", "Eval"))
    with pytest.raises(ConfigError, match="DetResizeForTest has no place"):
        build.build_train_chain([*train, {"DetResizeForTest": None}])
    wrong = load_config(configs / "det_r50_vd_pse.yml", ["Eval.dataset.transforms.1={ColorJitter: {hue: 0.1}}"])
    assert evaluation
    with pytest.raises(ConfigError, match="ColorJitter has no place"):
        build.build_preprocess(wrong)


def test_a_wrong_value_names_its_own_line(tmp_path: Path, configs: Path) -> None:
    file = write(tmp_path, "a.yml", "PostProcess:\n  name: PSEPostProcess\n  min_area: 16\n  scale: 3\n")
    with pytest.raises(ConfigError) as error:
        build.build_postprocess(load_config(file).section("PostProcess"))
    assert "a.yml:4: PostProcess.scale: one of 1, 2, 4 expected, got 3" in str(error.value)


def test_a_postprocess_with_paddleocrs_call_shape(configs: Path) -> None:
    """One 40 x 20 block of text in a 100 x 100 map of a picture of twice that size: a quad of about 80 x 40."""
    import numpy as np
    import paddle

    postprocess = build.build_postprocess({"name": "PSEPostProcess", "thresh": 0, "box_type": "quad", "scale": 1})
    maps = np.full((1, 7, 25, 25), -10, np.float32)
    maps[:, :, 5:10, 5:15] = 10
    shape = np.array([[200, 200, 0.5, 0.5]])
    for outputs in ({"maps": paddle.to_tensor(maps)}, {"maps": maps}):
        (found,) = postprocess(outputs, shape)
        assert list(found) == ["points", "scores"] and len(found["points"]) == len(found["scores"]) == 1
        low, high = found["points"][0].min(axis=0), found["points"][0].max(axis=0)
        assert abs(low - [40, 40]).max() <= 4 and abs(high - [120, 80]).max() <= 4


def test_weights_beside_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").mkdir()
    file = tmp_path / "there" / "a.yml"
    file.write_text("Global: {pretrained_model: ./mine}\n")
    monkeypatch.chdir(tmp_path)
    assert load_config(file).settings.pretrained_model == "./mine"
    (tmp_path / "there" / "mine.pdparams").touch()
    assert load_config(file).settings.pretrained_model == str(tmp_path / "there" / "mine")
    assert load_config(file, ["Global.pretrained_model=mine"]).settings.pretrained_model == "mine"
    (tmp_path / "mine.pdparams").touch()  # what the current folder has comes first
    assert load_config(file).settings.pretrained_model == "./mine"
