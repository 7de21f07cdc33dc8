"""Look at how a network thinks: record a thought, draw it, play with it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["boards", "plots", "probes", "style", "thought_plots", "widgets"],
    submod_attrs={
        "recorder": ["Push", "record", "trace"],
        "traces": ["Trace"],
        "microscope": ["Microscope"],
    },
)
