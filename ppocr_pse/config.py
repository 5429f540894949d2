"""A configuration: sections and keys of PaddleOCR's files, every one checked before any work starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ppocr_pse import components
from ppocr_pse.engine.optim import regularizer
from ppocr_pse.schema import (
    ConfigError,
    Section,
    check_keys,
    choose,
    construct,
    parameters_of,
    place_of,
    suggest,
)
from ppocr_pse.yaml_tree import override, read_tree

__all__ = ["Config", "ConfigError", "DatasetSettings", "GlobalSettings", "LoaderSettings", "load_config"]


@dataclass(frozen=True)
class GlobalSettings:
    """The ``Global`` section; the fields are the keys that are known, see docs/configuration.md."""

    use_gpu: bool = True
    epoch_num: int = 600
    log_smooth_window: int = 20
    print_batch_step: int = 10
    save_model_dir: str = "./output"
    save_epoch_step: int = 600
    eval_batch_step: int | Sequence[int] | None = None
    eval_batch_epoch: int | None = None
    cal_metric_during_train: bool = False
    pretrained_model: str | None = None
    checkpoints: str | None = None
    save_inference_dir: str | None = None
    use_visualdl: bool = False
    infer_img: str | None = None
    save_res_path: str = "./output/det_pse/predicts_pse.txt"
    use_amp: bool = False
    amp_level: str = "O1"
    amp_dtype: str = "float16"
    amp_custom_black_list: Sequence[str] | None = None
    amp_custom_white_list: Sequence[str] | None = None
    scale_loss: float = 1.0
    use_dynamic_loss_scaling: bool = False
    use_sync_bn: bool = False
    find_unused_parameters: bool = False
    seed: int = 1024
    log_ranks: str | int | None = None
    print_mem_info: bool = True
    distributed: bool = False
    use_xpu: bool = False
    use_npu: bool = False
    use_mlu: bool = False
    use_gcu: bool = False
    keep_last: int = 0
    max_steps: int = 0
    ema_decay: float = 0.0

    def __post_init__(self) -> None:
        if self.cal_metric_during_train:
            raise ValueError("cal_metric_during_train is true, expected false: detection is not scored on crops")
        for key in ("epoch_num", "log_smooth_window", "print_batch_step", "save_epoch_step"):
            if getattr(self, key) < 1:
                raise ValueError(f"{key} is {getattr(self, key)!r}, expected at least 1")
        for key, allowed in (("amp_level", ("O1", "O2")), ("amp_dtype", ("float16", "bfloat16"))):
            if getattr(self, key) not in allowed:
                raise ValueError(f"{key} is {getattr(self, key)!r}, expected {' or '.join(allowed)}")
        if not 0.0 <= self.ema_decay < 1.0:
            raise ValueError(f"ema_decay is {self.ema_decay!r}, expected 0 (off) to below 1")
        if isinstance(self.eval_batch_step, Sequence) and len(self.eval_batch_step) != 2:
            raise ValueError(f"eval_batch_step is {self.eval_batch_step!r}, expected [start, every] or one number")

    @property
    def eval_start_and_every(self) -> tuple[int, int]:
        """Evaluate after step ``start``, every ``every`` steps from there; every is 0 for never."""
        if self.eval_batch_step is None:
            return 0, 0
        if isinstance(self.eval_batch_step, int):
            return 0, self.eval_batch_step
        return int(self.eval_batch_step[0]), int(self.eval_batch_step[1])


@dataclass(frozen=True)
class DatasetSettings:
    """``Train.dataset`` and ``Eval.dataset``; delimiter None is a TAB."""

    data_dir: str
    label_file_list: str | Sequence[str]
    transforms: Sequence[Any]
    ratio_list: float | Sequence[float] = 1.0
    delimiter: str | None = None

    def __post_init__(self) -> None:
        if not self.label_files:
            raise ValueError("label_file_list is empty, expected at least one label file")
        if isinstance(self.ratio_list, Sequence) and len(self.ratio_list) not in (1, len(self.label_files)):
            raise ValueError(
                f"ratio_list has {len(self.ratio_list)} entries for {len(self.label_files)} label files, "
                "expected one each or one for all"
            )
        if min(self.ratios) < 0:
            raise ValueError(f"ratio_list is {self.ratio_list!r}, expected numbers from 0 up")

    @property
    def label_files(self) -> tuple[Path, ...]:
        """The label files."""
        given = [self.label_file_list] if isinstance(self.label_file_list, str) else self.label_file_list
        return tuple(Path(file) for file in given)

    @property
    def ratios(self) -> tuple[float, ...]:
        """One ratio a label file."""
        given = list(self.ratio_list) if isinstance(self.ratio_list, Sequence) else [self.ratio_list]
        count = len(self.label_files)
        return tuple(given if len(given) == count else given * count)


@dataclass(frozen=True)
class LoaderSettings:
    """``Train.loader`` and ``Eval.loader``."""

    batch_size_per_card: int = 1
    shuffle: bool = False
    drop_last: bool = False
    num_workers: int = 0
    use_shared_memory: bool = True

    def __post_init__(self) -> None:
        if self.batch_size_per_card < 1:
            raise ValueError(f"batch_size_per_card is {self.batch_size_per_card!r}, expected at least 1")
        if self.num_workers < 0:
            raise ValueError(f"num_workers is {self.num_workers!r}, expected 0 or more")


@dataclass(frozen=True)
class Config:
    """A checked configuration.

    Attributes:
        path: the file it was read from.
        settings: the Global section.
        tree: all sections as they stand after ``_BASE_`` and overrides.
    """

    path: Path
    settings: GlobalSettings
    tree: Section

    def section(self, name: str) -> Section:
        """A top-level section.

        Raises:
            ConfigError: if the file does not have it.
        """
        if name not in self.tree:
            raise ConfigError(f"{self.path}: there is no section {name}, which this command needs")
        return self.tree[name]

    def dump(self) -> str:
        """The whole configuration as YAML."""
        return yaml.safe_dump(_plain(self.tree), sort_keys=False, allow_unicode=True)


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read, merge, override and check a configuration.

    Args:
        path: a YAML file.
        overrides: ``A.b.c=VALUE`` each; VALUE is YAML.

    Raises:
        ConfigError: for whatever is wrong with it, naming file, line, section, key and the nearest known name.
    """
    tree = read_tree(Path(path))
    for assignment in overrides:
        override(tree, assignment)
    _check(tree, Path(path))
    settings = construct(GlobalSettings, tree.get("Global") or Section(), "Global")
    return Config(Path(path), settings, tree)


SECTIONS = ("Global", "Architecture", "Loss", "Optimizer", "PostProcess", "Metric", "Train", "Eval")


def _check(tree: Section, path: Path) -> None:
    """Compare every key with the signature of what it is for."""
    for key in tree:
        if key not in SECTIONS:
            raise ConfigError(f"{place_of(tree, key) or f'{path}: '}{key}: unknown section{suggest(key, SECTIONS)}")
    check_keys(GlobalSettings, tree.get("Global") or Section(), "Global")
    if tree.get("Architecture") is not None:
        check_architecture(tree["Architecture"])
    for name, table in (
        ("Loss", components.LOSSES),
        ("PostProcess", components.POSTPROCESSES),
        ("Metric", components.METRICS),
    ):
        if tree.get(name) is not None:
            component, rest = choose(table, tree[name], name)
            check_keys(component, rest, name)
    if tree.get("Optimizer") is not None:
        check_optimizer(tree["Optimizer"])
    for name in ("Train", "Eval"):
        if tree.get(name) is not None:
            _check_data(tree[name], name)


def check_architecture(section: Mapping[str, Any]) -> None:
    """Check the Architecture section.

    Raises:
        ConfigError: for an unknown key or name.
    """
    known = ("model_type", "algorithm", "Transform", "Backbone", "Neck", "Head")
    _only(section, known, "Architecture")
    for key, allowed in (("model_type", (None, "det")), ("algorithm", (None, "PSE")), ("Transform", (None,))):
        if section.get(key) not in allowed:
            raise ConfigError(
                f"{place_of(section, key)}Architecture.{key}: got {section[key]!r}, expected {allowed[-1] or 'nothing'}"
            )
    for name, table, handed_down in (
        ("Backbone", components.BACKBONES, ()),
        ("Neck", components.NECKS, ("in_channels",)),
        ("Head", components.HEADS, ("in_channels",)),
    ):
        component, rest = choose(table, section.get(name), f"Architecture.{name}")
        check_keys(component, rest, f"Architecture.{name}", handed_down)


def check_optimizer(section: Mapping[str, Any]) -> None:
    """Check the Optimizer section.

    Raises:
        ConfigError: for an unknown key or name.
    """
    factory, rest = choose(components.OPTIMIZERS, section, "Optimizer")
    shared = ("lr", "regularizer", "weight_decay", "clip_norm", "clip_norm_global")
    _only(rest, (*parameters_of(factory), *shared), "Optimizer")
    schedule, settings = choose(components.SCHEDULES, rest.get("lr"), "Optimizer.lr")
    check_keys(schedule, settings, "Optimizer.lr")
    if rest.get("regularizer") is not None:
        check_keys(regularizer, rest["regularizer"], "Optimizer.regularizer")
    own = Section({key: value for key, value in rest.items() if key not in shared}, rest.places)
    check_keys(factory, own, "Optimizer")


def _check_data(section: Any, where: str) -> None:
    if not isinstance(section, Section):
        raise ConfigError(f"{where}: got {section!r}, expected dataset and loader")
    _only(section, ("dataset", "loader"), where)
    _, dataset = choose({"SimpleDataSet": DatasetSettings}, section.get("dataset"), f"{where}.dataset")
    check_keys(DatasetSettings, dataset, f"{where}.dataset")
    check_keys(LoaderSettings, section.get("loader") or Section(), f"{where}.loader")
    for i, entry in enumerate(dataset["transforms"]):
        at = f"{where}.dataset.transforms.{i}"
        if not isinstance(entry, Mapping) or len(entry) != 1:
            raise ConfigError(f"{at}: got {entry!r}, expected one operation, such as `- ToCHWImage:`")
        (name, args), *_ = entry.items()
        if name not in components.TRANSFORMS:
            raise ConfigError(
                f"{place_of(entry, name)}{at}: unknown operation {name!r}{suggest(name, components.TRANSFORMS)}"
            )
        check_keys(components.TRANSFORMS[name], args or Section(), f"{at}.{name}")


def _only(section: Any, known: Sequence[str], where: str) -> None:
    if not isinstance(section, Mapping):
        raise ConfigError(f"{where}: got {section!r}, expected a mapping with {', '.join(known)}")
    for key in section:
        if key not in known and key != "name":
            raise ConfigError(f"{place_of(section, key)}{where}.{key}: unknown key{suggest(key, known)}")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
