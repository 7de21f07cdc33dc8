"""Deliberately wrong solutions: edits of the right ones that must lose the points.

By master and exercise: what is wrong, the text of the solution, and what stands there instead.
"""

WRONG = {
    "a1_direct": {
        "exact-match": [
            ("cell accuracy", "right.all(-1)", "right.float().mean(-1) > 0.6"),
            ("the whole batch at once", "right.all(-1)", "right.all().expand(len(right))"),
            ("ungraded cells count as wrong", " | (labels == IGNORE)", ""),
            ("a share, not a verdict", "right.all(-1)", "right.float().mean(-1)"),
        ],
        "board-loss": [
            ("all cells alike", "(cells.sum(-1) / graded).mean()", "cells.sum() / graded.sum()"),
            ("ungraded cells dilute", "cells.sum(-1) / graded", "cells.mean(-1)"),
            ("divides by nothing", ".clamp(min=1)", ""),
            ("no gradient", ".mean()\n", ".mean().detach()\n"),
        ],
        "examples": [
            ("label leak", "sudoku.to_tokens(puzzles)", "sudoku.to_tokens(solutions)"),
            ("clues are graded", ".masked_fill(inputs != BLANK, IGNORE)", ""),
            (
                "label leak into the blanks",
                "    return inputs, labels",
                "    inputs[:, -1] = labels[:, -1]\n    return inputs, labels",
            ),
        ],
        "split": [
            (
                "twins on both sides (label leak)",
                "sudoku.canonical_form(p, s) for p",
                "p.tobytes() for p",
            ),
            ("the seed is not used", "np.random.default_rng(seed).shuffle(families)", "pass"),
            ("rows on both sides", "if form not in chosen]", "]"),
        ],
        "train": [
            ("old gradients add up", "optimizer.zero_grad()", "pass"),
            ("never moves", "optimizer.step()", "pass"),
            ("keeps all graphs", "loss.item()", "loss"),
        ],
        "chance": [
            ("adds instead of multiplying", "my_accuracy**my_blanks", "my_accuracy"),
            ("all cells instead of blanks", "my_accuracy**my_blanks", "my_accuracy**36"),
        ],
    },
    "a2_supervision": {
        "full-recursion": [
            ("the question is in the answer", "net(y + z)", "net(y + z + x)"),
            ("the question is nowhere", "z + (y + x)", "z + y"),
            ("one update too many", "range(n)", "range(n + 1)"),
            ("answers after each update", "    y = net(y + z)", "        y = net(y + z)"),
        ],
        "supervision-step": [
            ("gradient through all T recursions", "torch.no_grad()", "torch.enable_grad()"),
            ("no detach", "(y.detach(), z.detach())", "(y, z)"),
            ("only y is detached", "z.detach())", "z)"),
            ("one recursion too many", "range(T - 1)", "range(T)"),
            ("the loss gets no gradient", "return (y, z), ", "return (y.detach(), z), "),
        ],
        "refill": [
            (
                "halted slots keep the old answer",
                "torch.where(cell, y_start, slots.y)",
                "slots.y",
            ),
            (
                "halted slots keep the old latent",
                "torch.where(cell, z_start, slots.z)",
                "slots.z",
            ),
            ("the count goes on", "torch.where(slots.halted, 0, slots.steps)", "slots.steps"),
            ("everybody starts afresh", "torch.where(cell, y_start, slots.y)", "y_start"),
            ("labels of the old puzzle", "torch.where(row, labels, slots.labels)", "slots.labels"),
        ],
        "advance": [
            ("one step too long", "steps >= most", "steps > most"),
            ("halts at a probability above 0", "halt_logit > 0", "halt_logit.sigmoid() > 0"),
            ("the old latent", "z=z", "z=slots.z"),
            ("the model has no say", "(halt_logit > 0) | ", ""),
        ],
        "train-step": [
            ("labels of the fresh puzzles", "slots.labels)", "labels)"),
            ("old gradients add up", "optimizer.zero_grad()", "pass"),
            ("begins again each time", "model(slots.y, slots.z,", "model(*model.start(4),"),
            ("never refills", "refill(slots, tokens, labels, *model.start(len(tokens)))", "slots"),
            ("returns the graph with the loss", "loss.item()", "loss"),
        ],
        "count": [
            ("the answer update is forgotten", "my_T * (my_n + 1)", "my_T * my_n"),
            ("gradient in one step of sixteen", ", 16 * (my_n + 1)", ", my_n + 1"),
        ],
    },
}

WRONG["a3_gradient"] = {
    "hrm-step": [
        ("gradient through all applications", "torch.no_grad()", "torch.enable_grad()"),
        ("the answer after every update", "if step % n == 0:", "if True:"),
        ("one update too many", "range(1, T * n)", "range(T * n)"),
        (
            "the last latent without gradient",
            "    z = f_L(z + (y + x))\n    y = f_H",
            "    z = f_L(z + (y + x)).detach()\n    y = f_H",
        ),
    ],
    "flat-gradient": [
        (
            "unused parameters are left out",
            "strict=True)",
            "strict=True) if part is not None",
        ),
        ("the second weight only", "zip(parameters, parts,", "zip(parameters[1:], parts[1:],"),
    ],
    "cosine": [
        ("without the sign", ".item()", ".abs().item()"),
        ("depends on the length", "(a.norm() * b.norm())", "a.norm()"),
    ],
    "neumann": [
        ("not transposed", "term = J.T @ term", "term = J @ term"),
        ("one term too few", "range(terms)", "range(terms - 1)"),
        ("powers cell by cell", "term = J.T @ term", "term = J.T.diag() * term"),
        ("exact, not transposed", "torch.eye(len(v)) - J.T", "torch.eye(len(v)) - J"),
    ],
    "residuals": [
        ("stands still", "z = new", "pass"),
        ("not relative", " / z.norm()", ""),
        ("relative to the start", "/ z.norm()", "/ 2.0"),
    ],
    "angle": [
        ("compares with itself", "for end in (short, y)", "for end in (short, short)"),
        ("one weight only", "weights = [f_L.weight, f_H.weight]", "weights = [f_L.weight]"),
    ],
}
