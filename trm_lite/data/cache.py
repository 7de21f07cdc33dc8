"""Keep generated puzzles on disk, so that they are made only once."""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from trm_lite.common.errors import UserError
from trm_lite.common.files import DAMAGED, cache_folder, write_atomically

Made = TypeVar("Made")
Arrays = Mapping[str, np.ndarray]


def cached(
    name: str, recipe: dict, make: Callable[[], Arrays], read: Callable[[Arrays], Made]
) -> Made:
    """What `read` makes of some arrays: those in the cache folder, or new ones that `make` makes.

    Raises UserError if the cache cannot be used.

    Args:
        name: how the file's name begins.
        recipe: all that the arrays depend on, ready for JSON.
        make: makes the arrays.
        read: turns them into what is asked for; it raises something if they are damaged.
    """
    text = json.dumps(recipe, sort_keys=True)
    path = cache_folder() / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"
    if path.exists():
        try:
            with np.load(path) as parts:
                return read(parts)
        except DAMAGED as error:
            raise UserError(f"{path} is damaged ({error}); delete it and run again.") from error
    parts = make()
    kept = io.BytesIO()
    np.savez_compressed(kept, **parts)
    try:
        write_atomically(path, kept.getvalue())
    except UserError as error:
        raise UserError(
            f"{error} Set the environment variable TRM_LITE_CACHE to another folder."
        ) from error
    return read(parts)
