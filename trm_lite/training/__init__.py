"""Train a network and test it: recipe, losses, optimisers, trainer, run folder and exam."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "recipe": ["Preset", "Recipe", "fit_to_data", "replace"],
        "trainer": ["Trainer"],
        "token_trainer": ["trainer_for", "worked_out"],
        "losses": ["step_loss"],
        "optim": ["AdamAtan2"],
        "flops": ["step_flops"],
        "exam": ["examine_run"],
        "exam_report": ["exam_text"],
        "exam_options": ["ExamOptions"],
    },
)
