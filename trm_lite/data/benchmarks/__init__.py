"""The paper's four benchmarks, and stand-ins for two of them: what each takes, how it is built."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "options": ["BENCHMARKS", "ArcDrawing", "Drawing", "Making"],
    },
)
