"""Helpers used by every other folder: errors, files, devices and processes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "errors": ["PuzzleError", "UserError"],
        "files": ["ASSETS"],
        "device": ["precision"],
    },
)
