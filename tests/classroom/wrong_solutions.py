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
            ("a rate of its own", "lr=lr", "lr=2e-3"),
        ],
        "chance": [
            ("a share, not a number of boards", "my_boards * ", ""),
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
        ("the answer cut off from it", "f_H(y + z)\n    return", "f_H(y + z.detach())\n    return"),
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
        ("row by row", ".norm() / z.norm()", ".norm(dim=-1) / z.norm(dim=-1)).mean("),
        ("relative to the start", "/ z.norm()", "/ 2.0"),
    ],
    "angle": [
        ("compares with itself", "for end in (short, y)", "for end in (short, short)"),
        ("one weight only", "weights = [f_L.weight, f_H.weight]", "weights = [f_L.weight]"),
    ],
}

WRONG["a4_trm"] = {
    "model": [
        (
            "gradient through all T recursions",
            "torch.is_grad_enabled() and recursion == self.T - 1",
            "torch.is_grad_enabled()",
        ),
        ("no detach", "y.detach(), z.detach()", "y, z"),
        ("a halting bias of 0", "nn.init.constant_(self.halt.bias, -5)", "pass"),
        ("the question is in the answer update", "self.net(y + z)", "self.net(y + z + x)"),
        (
            "the start is trained",
            'self.register_buffer("z_start", nn.init.trunc_normal_(torch.empty(width)))',
            "self.z_start = nn.Parameter(nn.init.trunc_normal_(torch.empty(width)))",
        ),
        ("the answer is read off z", "self.head(y)[:, 1:]", "self.head(z)[:, 1:]"),
        ("halting is read off z", "self.halt(y[:, 0])", "self.halt(z[:, 0])"),
        ("halting is read off a cell", "self.halt(y[:, 0])", "self.halt(y[:, -1])"),
        ("the cells are read one off", "self.head(y)[:, 1:]", "self.head(y)[:, :-1]"),
    ],
    "loss": [
        ("a half right board counts half", ".all(-1)", ".float().mean(-1)"),
        ("halting counts in full", "0.5 * ", ""),
        ("halting is forgotten", "answer + 0.5 * ", "answer + 0 * "),
    ],
    "average": [
        (
            "evaluated before the swap",
            "    model.load_state_dict(average)\n    try:\n        return test(model)",
            "    said = test(model)\n    model.load_state_dict(average)\n"
            "    try:\n        return said",
        ),
        ("no copy is kept", "copy.deepcopy(model.state_dict())", "model.state_dict()"),
        ("never swapped back", "        model.load_state_dict(own)", "        pass"),
        ("the rate the wrong way round", "1 - rate", "rate"),
    ],
    "memory": [
        ("the rate the wrong way round", "my_rate**count", "(1 - my_rate) ** count"),
        ("loses as much each time", "my_rate**count", "1 - count * (1 - my_rate)"),
        ("one update too few", "my_rate**count", "my_rate ** (count + 1)"),
        ("one update too many", "return count", "return count + 1"),
    ],
    "solve": [
        ("the batch stops as a whole", "thinking &= halt <= 0", "thinking &= (halt <= 0).all()"),
        (
            "the last answer",
            "answers[thinking] = logits.argmax(-1)[thinking]",
            "answers = logits.argmax(-1)",
        ),
        ("a step too many", "steps[thinking] = step", "steps[thinking] = step + 1"),
        ("stopped puzzles wake up", "thinking &=", "thinking ="),
    ],
    "train": [
        ("label leak", "model(y, z, tokens)", "model(y, z, labels)"),
        (
            "halted slots are not reset",
            "torch.where(cell, start[0], y), torch.where(cell, start[1], z)",
            "y, z",
        ),
        ("a new batch at each step", "halted = (halt.detach() > 0)", "halted = halt < 99"),
        ("the counts go on", "count = torch.where(halted, 0, count)", "pass"),
        ("the average stands still", "update_average(average, model, rate)", "pass"),
        ("the average is the model", "copy.deepcopy(model.state_dict())", "model.state_dict()"),
    ],
}

WRONG["a5_investigation"] = {
    "interval": [
        (
            "the plain interval",
            "return max(0.0, centre - half), min(1.0, centre + half)",
            "half = z * math.sqrt(p * (1 - p) / count)\n    return p - half, p + half",
        ),
        ("one sigma", "z, p = 1.96,", "z, p = 1.0,"),
        ("around the share", "centre - half", "p - half"),
    ],
    "paired": [
        (
            "not paired",
            "gain[rows].mean(1)",
            "np.asarray(b, float)[rows].mean(1)"
            " - np.asarray(a, float)[rng.permutation(rows)].mean(1)",
        ),
        (
            "a minus b",
            "np.asarray(b, float) - np.asarray(a, float)",
            "np.asarray(a, float) - np.asarray(b, float)",
        ),
        ("the whole range", "[0.025, 0.975]", "[0.0, 1.0]"),
        ("another draw each time", "default_rng(seed)", "default_rng()"),
    ],
    "investigate": [
        ("a verdict by the sign alone", '"supported" if low > 0', '"supported" if measured >= 0'),
        ("an anecdote", "smoke=30", "smoke=1"),
        ("in per cent", "low=low,\n        high=high", "low=-100 * high - 2, high=100 * high + 2"),
        ("no interval", "low=low,\n        high=high", "low=measured + 0.1, high=measured + 0.2"),
    ],
}
