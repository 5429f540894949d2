"""Global, dataset and loader sections as frozen records: their fields are the keys that a file may hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

AT_LEAST_ONE = (
    "epoch_num",
    "log_smooth_window",
    "print_batch_step",
    "save_epoch_step",
    "accumulate_steps",
    "incr_every_n_steps",
    "decr_every_n_nan_or_inf",
    "max_skipped_steps",
)
NOT_NEGATIVE = ("keep_last", "save_latest_step", "max_steps", "max_minutes", "early_stop", "early_stop_min_delta")
CHOICES = {
    "amp_level": ("O1", "O2"),
    "amp_dtype": ("float16", "bfloat16"),
    "freeze_bn": ("none", "backbone", "all"),
    "ema_evaluate": ("both", "average"),
    "engine": (
        "auto",
        "paddle",
        "paddle_inference",
        "paddle_tensorrt",
        "onnxruntime",
        "openvino",
        "openvino_bf16",
    ),
}


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
    incr_every_n_steps: int = 2000
    incr_ratio: float = 2.0
    decr_every_n_nan_or_inf: int = 1
    decr_ratio: float = 0.5
    max_skipped_steps: int = 30
    accumulate_steps: int = 1
    freeze: str | Sequence[str] | None = None
    freeze_bn: str = "none"
    keep_last: int = 0
    save_latest_step: int = 0
    max_steps: int = 0
    max_minutes: float = 0.0
    rank_timeout: float = 20.0
    stall_timeout: float = 1800.0
    early_stop: int = 0
    early_stop_min_delta: float = 0.0
    ema_decay: float = 0.0
    ema_evaluate: str = "both"
    engine: str = "auto"
    max_pixels: int | None = None

    def __post_init__(self) -> None:
        if self.cal_metric_during_train:
            raise ValueError("cal_metric_during_train is true, expected false: detection is not scored on crops")
        for key in AT_LEAST_ONE:
            if getattr(self, key) < 1:
                raise ValueError(f"{key} is {getattr(self, key)!r}, expected at least 1")
        for key in NOT_NEGATIVE:
            if getattr(self, key) < 0:
                raise ValueError(f"{key} is {getattr(self, key)!r}, expected 0 (off) or more")
        for key, allowed in CHOICES.items():
            if getattr(self, key) not in allowed:
                raise ValueError(f"{key} is {getattr(self, key)!r}, expected {' or '.join(allowed)}")
        for key in ("rank_timeout", "stall_timeout"):
            if not getattr(self, key) > 0:
                raise ValueError(f"{key} is {getattr(self, key)!r}, expected seconds above 0")
        if self.max_pixels is not None and self.max_pixels < 0:
            raise ValueError(f"max_pixels is {self.max_pixels!r}, expected pixels, or 0 for no limit")
        if not self.incr_ratio > 1.0:
            raise ValueError(f"incr_ratio is {self.incr_ratio!r}, expected above 1")
        if not 0.0 < self.decr_ratio < 1.0:
            raise ValueError(f"decr_ratio is {self.decr_ratio!r}, expected above 0 and below 1")
        if not self.scale_loss > 0.0:
            raise ValueError(f"scale_loss is {self.scale_loss!r}, expected above 0")
        if not 0.0 <= self.ema_decay < 1.0:
            raise ValueError(f"ema_decay is {self.ema_decay!r}, expected 0 (off) to below 1")
        if isinstance(self.eval_batch_step, Sequence) and len(self.eval_batch_step) != 2:
            raise ValueError(f"eval_batch_step is {self.eval_batch_step!r}, expected [start, every] or one number")

    @property
    def frozen_parts(self) -> tuple[str, ...]:
        """Names of the parts that are not trained."""
        return (self.freeze,) if isinstance(self.freeze, str) else tuple(self.freeze or ())

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
    """``Train.dataset`` and ``Eval.dataset``; delimiter None is a TAB and is for format ppocr only."""

    data_dir: str
    label_file_list: str | Sequence[str]
    transforms: Sequence[Any]
    ratio_list: float | Sequence[float] = 1.0
    delimiter: str | None = None
    fast: bool | str = "auto"
    weights: Sequence[float] | None = None
    cache: str | float | bool | None = None
    format: str = "ppocr"

    def __post_init__(self) -> None:
        if self.delimiter is not None and self.format != "ppocr":
            raise ValueError(f"delimiter is {self.delimiter!r}, but format {self.format} has none; remove it")
        if self.fast not in (True, False, "auto"):
            raise ValueError(f"fast is {self.fast!r}, expected auto, true or false")
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
    timeout: float = 0.0

    def __post_init__(self) -> None:
        if self.batch_size_per_card < 1:
            raise ValueError(f"batch_size_per_card is {self.batch_size_per_card!r}, expected at least 1")
        if self.num_workers < 0:
            raise ValueError(f"num_workers is {self.num_workers!r}, expected 0 or more")
        if self.timeout < 0:
            raise ValueError(f"timeout is {self.timeout!r}, expected seconds, or 0 for the default")
