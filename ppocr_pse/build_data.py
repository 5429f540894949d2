"""The data half of the composition root: dataset sections to label pools, transform chains and readers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ppocr_pse import components
from ppocr_pse.config import Config, DatasetSettings, LoaderSettings
from ppocr_pse.data.augment.colour import ColorJitter
from ppocr_pse.data.augment.crops import EastRandomCropData, RandomCropImgMask
from ppocr_pse.data.augment.iaa import IaaAugment
from ppocr_pse.data.augment.paste import CopyPaste
from ppocr_pse.data.chain import KeepKeys, TrainChain
from ppocr_pse.data.dataset import AnnotationPool, PseDataset, pool_annotations
from ppocr_pse.data.formats import read_format
from ppocr_pse.data.labels import LabelError
from ppocr_pse.data.loader import TrainLoader
from ppocr_pse.data.preprocess import DecodeImage, DetResizeForTest, NormalizeImage, Preprocess
from ppocr_pse.data.reader.memory import reading_fits
from ppocr_pse.data.reader.picture_cache import PictureCache, cache_bytes
from ppocr_pse.data.reader.sampler import EpochSampler
from ppocr_pse.data.targets import MakePseGt
from ppocr_pse.schema import ConfigError, Section, choose, construct
from ppocr_pse.types import Annotation


def build_transforms(entries: Sequence[Any], where: str) -> list[Any]:
    """Make the operations of a ``transforms`` list, in order.

    Raises:
        ConfigError: for an unknown key, name or value.
    """
    made = []
    for i, entry in enumerate(entries):
        (name, args), *_ = entry.items()
        made.append(construct(components.TRANSFORMS[name], args or Section(), f"{where}.{i}.{name}"))
    return made


def _one(steps: Sequence[Any], kind: type, where: str) -> Any:
    found = [step for step in steps if isinstance(step, kind)]
    if len(found) != 1:
        raise ConfigError(f"{where}: {kind.__name__} stands there {len(found)} times, expected once")
    return found[0]


def build_train_chain(
    entries: Sequence[Any],
    where: str = "Train.dataset.transforms",
    fast: bool | str = "auto",
    donors: Sequence[Annotation] = (),
) -> TrainChain:
    """Make the training transforms.

    Args:
        entries: the ``transforms`` list.
        where: its path in the configuration.
        fast: whether to warp the crop window at once; ``auto`` does where that is possible.
        donors: pictures that CopyPaste takes texts from.

    Raises:
        ConfigError: if an operation is missing or stands where it cannot work.
    """
    steps = build_transforms(entries, where)
    _no_strangers(steps, (DetResizeForTest,), where)
    targets = _one(steps, MakePseGt, where)
    _check_keys_kept(steps, KeepKeys.TRAIN, where)
    policies = [step for step in steps if isinstance(step, (ColorJitter, IaaAugment, EastRandomCropData, CopyPaste))]
    late = [step for step in policies if steps.index(step) > steps.index(targets)]
    if late:
        raise ConfigError(f"{where}: {type(late[0]).__name__} stands after MakePseGt, expected before it")
    cut = any(isinstance(step, EastRandomCropData) for step in policies)
    with_window = not cut or any(isinstance(step, RandomCropImgMask) for step in steps)
    try:
        return TrainChain(
            decode=_one(steps, DecodeImage, where),
            policies=tuple(policies),
            targets=targets,
            crop=_one(steps, RandomCropImgMask, where) if with_window else None,
            normalize=_one(steps, NormalizeImage, where),
            fast=None if fast == "auto" else bool(fast),
            donors=tuple(donors),
        )
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def build_preprocess(config: Config) -> Preprocess:
    """Make the way from a picture to the network, as Eval.dataset.transforms has it.

    Raises:
        ConfigError: if an operation is missing.
    """
    where = "Eval.dataset.transforms"
    steps = build_transforms(_dataset(config, "Eval").transforms, where)
    strangers = (ColorJitter, IaaAugment, EastRandomCropData, CopyPaste, MakePseGt, RandomCropImgMask)
    _no_strangers(steps, strangers, where)
    _check_keys_kept(steps, KeepKeys.EVAL, where)
    parts = (_one(steps, kind, where) for kind in (DecodeImage, DetResizeForTest, NormalizeImage))
    return Preprocess(*parts)


def _no_strangers(steps: Sequence[Any], strangers: tuple[type, ...], where: str) -> None:
    for step in steps:
        if isinstance(step, strangers):
            raise ConfigError(f"{where}: {type(step).__name__} has no place in this list; remove it")


def _check_keys_kept(steps: Sequence[Any], expected: tuple[str, ...], where: str) -> None:
    for step in steps:
        if isinstance(step, KeepKeys) and tuple(step.keep_keys) != expected:
            raise ConfigError(f"{where}: KeepKeys keeps {list(step.keep_keys)}, expected {list(expected)}")


def _dataset(config: Config, name: str) -> DatasetSettings:
    where = f"{name}.dataset"
    _, settings = choose({"SimpleDataSet": DatasetSettings}, config.section(name).get("dataset"), where)
    return construct(DatasetSettings, settings, where)


def _loader(config: Config, name: str) -> LoaderSettings:
    return construct(LoaderSettings, config.section(name).get("loader") or Section(), f"{name}.loader")


def build_annotations(config: Config, name: str) -> AnnotationPool:
    """Read the label files of ``Train`` or ``Eval`` and look whether their pictures exist.

    Raises:
        ConfigError: if nothing of them can be used.
    """
    settings = _dataset(config, name)
    try:
        files = [
            read_format(settings.format, file, Path(settings.data_dir), settings.delimiter or "\t")
            for file in settings.label_files
        ]
        return pool_annotations(files, settings.ratios, drop_missing=name == "Train")
    except LabelError as error:
        raise ConfigError(f"{name}.dataset: {error}") from error


def build_train_loader(config: Config, pool: AnnotationPool, rank: int = 0, world_size: int = 1) -> TrainLoader:
    """Make the reader of training batches.

    Raises:
        ConfigError: if an epoch would be empty, the maps drawn do not fit the network's, or memory is too small.
    """
    settings = _dataset(config, "Train")
    chain = build_train_chain(settings.transforms, fast=settings.fast, donors=pool.annotations)
    maps = (config.section("Architecture").get("Head") or {}).get("out_channels", 7)
    if chain.targets.kernel_num != maps:
        raise ConfigError(
            f"Train.dataset.transforms: MakePseGt.kernel_num is {chain.targets.kernel_num}, but the network has "
            f"Architecture.Head.out_channels {maps}; make them equal"
        )
    loader, seed = _loader(config, "Train"), config.settings.seed
    try:
        sampler = EpochSampler(
            pool.shares,
            loader.batch_size_per_card,
            loader.shuffle,
            loader.drop_last,
            seed,
            rank,
            world_size,
            settings.weights,
        )
    except ValueError as error:
        raise ConfigError(f"Train.dataset: {error}") from error
    if len(sampler) == 0:
        raise ConfigError(
            f"Train.loader: {sampler.count} pictures give no batch of {loader.batch_size_per_card} x {world_size}; "
            "lower batch_size_per_card or set drop_last: false"
        )
    dataset = PseDataset(pool.annotations, chain, seed)
    reader = TrainLoader(dataset, sampler, loader.num_workers, loader.use_shared_memory, loader.timeout)
    processes = int(os.environ.get("PADDLE_LOCAL_SIZE") or world_size)
    places = getattr(config.section("Train")["dataset"], "places", {})
    cache = construct(cache_bytes, Section({"cache": settings.cache}, places), "Train.dataset") // processes
    try:
        reading_fits(reader.buffer_bytes, cache, processes)
        if cache:
            paths = [annotation.image for annotation in pool.annotations]
            dataset.chain = replace(chain, read=PictureCache(chain.decode.read, paths, cache))
    except ValueError as error:
        raise ConfigError(f"Train: {error}") from error
    return reader


def eval_workers(config: Config) -> int:
    """Reader threads of Eval.loader."""
    return _loader(config, "Eval").num_workers
