"""The authors' code as a yardstick: their checkpoints read, their numbers reproduced."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "checkpoints": ["convert"],
        "parity": ["check_parity"],
        "download": ["fetch"],
    },
)
