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
    conforms,
    construct,
    parameters_of,
    place_of,
    suggest,
)
from ppocr_pse.settings import DatasetSettings, GlobalSettings, LoaderSettings
from ppocr_pse.yaml_tree import override, read_tree

__all__ = ["Config", "ConfigError", "DatasetSettings", "GlobalSettings", "LoaderSettings", "load_config"]


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
    _find_weights(tree, Path(path))
    for assignment in overrides:
        override(tree, assignment)
    _check(tree, Path(path))
    settings = construct(GlobalSettings, tree.get("Global") or Section(), "Global")
    return Config(Path(path), settings, tree)


def _find_weights(tree: Section, path: Path) -> None:
    """Look for the weights that a file names beside it, when they are not there seen from the current folder."""
    section = tree.get("Global")
    if not isinstance(section, Section) or not isinstance(named := section.get("pretrained_model"), str) or not named:
        return
    for folder in (Path(), path.parent):
        if any((folder / (named + suffix)).is_file() for suffix in ("", ".pdparams")):
            section["pretrained_model"] = str(folder / named) if folder != Path() else named
            return


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
    shared = ("lr", "lr_base_batch_size", "lr_mult", "regularizer", "weight_decay", "clip_norm", "clip_norm_global")
    _only(rest, (*parameters_of(factory), *shared), "Optimizer")
    schedule, settings = choose(components.SCHEDULES, rest.get("lr"), "Optimizer.lr")
    check_keys(schedule, settings, "Optimizer.lr")
    rates = rest.get("lr_mult")
    if rates is not None and not (isinstance(rates, Mapping) and all(conforms(v, float) for v in rates.values())):
        raise ConfigError(
            f"{place_of(rest, 'lr_mult')}Optimizer.lr_mult: got {_plain(rates)!r}, "
            "expected factors by the names of parts, such as {backbone: 0.1}"
        )
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
    if (name := dataset.get("format", "ppocr")) not in components.FORMATS:
        raise ConfigError(
            f"{place_of(dataset, 'format')}{where}.dataset.format: unknown format {name!r}"
            f"{suggest(name, components.FORMATS)}"
        )
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
