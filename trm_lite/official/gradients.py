"""Compare gradients with golden numbers."""

import torch

from trm_lite.nets.reasoner import Reasoner
from trm_lite.official.checkpoints import places
from trm_lite.official.golden import EXACT, GRADIENT, Golden, exactly


def check_gradients(golden: Golden, place: str, model: Reasoner, prefix: str) -> None:
    """Compare the gradients of all parameters, and of the puzzle embeddings in the batch.

    Args:
        golden: the file.
        place: where in it.
        model: after the backward pass.
        prefix: before the authors' names.
    """
    config = model.config
    for ids, rows in model.puzzle_embedding.used[:1]:
        golden.check(f"{place}local_ids", ids, EXACT)
        name = f"{place}grad/puzzle_emb_local_weights"
        golden.check(name, rows.grad, GRADIENT, relative=True)
    gradients = {
        name: torch.zeros_like(p) if p.grad is None else p.grad
        for name, p in model.named_parameters()
    }
    for theirs, ours in places(config).items():
        if ours.name in gradients:
            gradient = gradients[ours.name]
            golden.check(f"{place}grad/{prefix}{theirs}", gradient, GRADIENT, relative=True)
            norm = exactly(gradient).norm()
            golden.check(f"{place}grad_l2/{prefix}{theirs}", norm, GRADIENT, relative=True)
