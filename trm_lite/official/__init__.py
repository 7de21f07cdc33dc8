"""Compare with the authors' code: read their checkpoints, and reproduce their numbers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "checkpoints": ["convert"],
        "parity": ["check_parity"],
        "download": ["fetch"],
    },
)
