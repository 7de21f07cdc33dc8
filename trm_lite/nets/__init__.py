"""The networks that the course compares, one file each, and the layers that they share."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "configs": [
            "AutoregressiveConfig",
            "DirectConfig",
            "HRMConfig",
            "TRMConfig",
        ],
        "autoregressive": ["Autoregressive"],
        "direct": ["Direct"],
        "hrm": ["HRM"],
        "trm": ["TRM"],
        "layers": ["Block", "Linear", "Stack", "SwiGLU", "TokenMixer"],
        "reasoner": ["Latents", "Reasoner", "Thought"],
        "build": ["build_network", "resized"],
        "weights": ["WEIGHTS_FOLDER", "load_weights", "save_weights", "shipped", "shipped_weights"],
    },
)
