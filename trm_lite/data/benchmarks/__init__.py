"""The paper's four benchmarks; each file builds one into a folder."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "catalog": ["BENCHMARKS"],
    },
)
