"""What every lesson needs besides its subject: three sizes to run it in, and pictures for all."""

import os
from pathlib import Path
from typing import TypeVar

import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.figure import Figure

from trm_lite.common.errors import UserError
from trm_lite.common.files import ASSETS, PACKAGE

NOTEBOOKS = PACKAGE.parent / "notebooks"  # in a clone; an installed package has none
RESULTS_FOLDER = ASSETS / "results"
PROFILES = ("smoke", "mini", "full")  # seconds for tests, minutes on a CPU, the paper's on a GPU

Setting = TypeVar("Setting")


def by_profile(profile: str, *, smoke: Setting, mini: Setting, full: Setting) -> Setting:
    """The setting for `profile`. The environment variable TRM_LITE_PROFILE overrides it (tests)."""
    profile = check_profile(os.environ.get("TRM_LITE_PROFILE", profile))
    return dict(zip(PROFILES, (smoke, mini, full), strict=True))[profile]


def check_profile(profile: str) -> str:
    """`profile`, if there is such a one; UserError if not."""
    if profile not in PROFILES:
        raise UserError(f"There is no profile '{profile}'; use one of {', '.join(PROFILES)}.")
    return profile


def results_file(name: str) -> Path:
    """The file `name` with measured results that comes with the course."""
    path = RESULTS_FOLDER / name
    if not path.exists():
        raise UserError(f"There is no {name} in {RESULTS_FOLDER}; get the whole course again.")
    return path


def show(figure: Figure, alt: str) -> None:
    """Show a figure in a notebook, with a description for those who do not see it."""
    display(figure, metadata={"image/png": {"alt": alt}})
    plt.close(figure)
