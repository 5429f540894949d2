"""The detector in the box: a trained det_mv3_pse that comes with the package, for when no model is named."""

from __future__ import annotations

from pathlib import Path

from ppocr_pse.deploy.engines.base import DeployError
from ppocr_pse.deploy.spec import FILE_NAME

NAME = "det_mv3_pse_icdar2015"
"""Folder of the detector, and name of the weights and the configuration in it; its README.md is the model card."""


def box_folder() -> Path:
    """Find the folder of the detector in the box: an export with inference.yml, and the weights it was made of.

    It lies in ``pretrain_models/``, inside the package when that was installed, beside it in a clone.

    Raises:
        DeployError: if it is in neither place.
    """
    package = Path(__file__).resolve().parent.parent
    places = [home / "pretrain_models" / NAME for home in (package, package.parent)]
    for place in places:
        if (place / FILE_NAME).is_file():
            return place
    raise DeployError(
        f"the detector in the box is not there: neither {places[0]} nor {places[1]} has an {FILE_NAME}; install "
        "ppocr-pse again (in a clone: git checkout -- pretrain_models), or name a model of your own"
    )
