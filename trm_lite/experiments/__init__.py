"""Experiments by name: the paper's tables as presets, what they cost, and how they compare."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["comparison", "paper"],
    submod_attrs={
        "presets": ["PRESETS", "get_preset"],
        "planning": ["plan", "plan_text"],
        "memory": ["activation_bytes"],
    },
)
