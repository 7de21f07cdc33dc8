"""What every lesson needs besides its subject: the three sizes in which it can be run."""

import os
from typing import TypeVar

from trm_lite.errors import UserError

PROFILES = ("smoke", "mini", "full")  # seconds for tests, minutes on a CPU, the paper's on a GPU

Setting = TypeVar("Setting")


def by_profile(profile: str, *, smoke: Setting, mini: Setting, full: Setting) -> Setting:
    """The setting for `profile`. The environment variable TRM_LITE_PROFILE overrides it (tests)."""
    profile = os.environ.get("TRM_LITE_PROFILE", profile)
    settings = dict(zip(PROFILES, (smoke, mini, full), strict=True))
    if profile not in settings:
        raise UserError(f"There is no profile '{profile}'; use one of {', '.join(PROFILES)}.")
    return settings[profile]
