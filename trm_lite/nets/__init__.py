"""The networks: layers shared by all, and one file per system that the course compares."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "configs": ["AutoregressiveConfig", "DirectConfig", "HRMConfig", "TRMConfig", "URMConfig"],
        "autoregressive": ["Autoregressive"],
        "direct": ["Direct"],
        "hrm": ["HRM"],
        "trm": ["TRM"],
        "layers": ["Attention", "Block", "Linear", "Stack", "SwiGLU", "TokenMixer"],
        "reasoner": ["Latents", "Reasoner", "Thought"],
        "build": ["build_network"],
        "weights": ["WEIGHTS_FOLDER", "load_weights", "save_weights", "shipped", "shipped_weights"],
    },
)
