"""The page computes what the package computes: logits, solutions, messages, boards from texts.

TRM_LITE_PLAY_BOARDS says how many boards of each kind the networks think about; a few if not set.
Where it is set, steps are timed for longer too.
"""

import base64
import copy
import functools
import json
import operator
import os

import numpy as np
import pytest
import torch
from shared_settings import SMALL

from trm_lite.common import ASSETS, UserError
from trm_lite.experiments import get_preset
from trm_lite.nets import build_network, load_weights
from trm_lite.nets.configs import DirectConfig, TRMConfig
from trm_lite.nets.weights import save_weights
from trm_lite.puzzles import maze, sudoku
from trm_lite.thinking import think

BOARDS = int(os.environ.get("TRM_LITE_PLAY_BOARDS", 0))
CLOSE = 1e-3
THINK = """async ({ file, inputs, ids }) => {
  const { readNetwork } = await import("/weights.js");
  const network = readNetwork(Uint8Array.from(atob(file), (c) => c.charCodeAt(0)).buffer);
  return inputs.map((tokens, b) => {
    const x = network.embed(tokens, ids?.[b]), steps = [];
    for (let state = network.start(); steps.length < 16; ) {
      state = network.step(x, state);
      const { logits, halt } = network.read(state);
      steps.push([...logits, halt]);
    }
    return steps;
  });
}"""


def sudokus(size, few):
    boards, _ = sudoku.generate(BOARDS or few, size, seed=8)
    return torch.from_numpy(sudoku.to_tokens(boards)).long(), None


def mazes(few):
    boards, _ = maze.generate(BOARDS or few, 7, seed=8)
    return torch.from_numpy(boards).long(), None


def arc_guises(few):
    data = get_preset("mini-arc").data
    batch = data.examples("test", data.groups[12:], 16).at(slice(0, BOARDS or few))
    return batch.inputs.long(), batch.puzzle_ids.long()


def rounding(model, board, ids):
    """By step, how far rounding leads a thought astray: (steps,).

    Where a thought does not settle, it grows from step to step, by luck more or less. So besides
    the network itself there are three whose weights differ from its own by as much as they round.
    """
    exact = list(think(copy.deepcopy(model).double(), board, ids))
    worst = torch.zeros(len(exact))
    for seed in range(4):
        other, random = copy.deepcopy(model), torch.Generator().manual_seed(seed)
        for weights in other.parameters() if seed else ():
            weights.data *= 1 + 2**-24 * torch.randn(weights.shape, generator=random)
        far = [
            (step.logits - truth.logits).abs().max()
            for step, truth in zip(think(other, board, ids), exact, strict=True)
        ]
        worst = torch.maximum(worst, torch.stack(far).float())
    return worst.cummax(0).values


def assert_same_logits(page, path, inputs, ids=None):
    """The page and torch, in float32, agree on every step of every board.

    Where a thought does not settle, the page may be as far from torch as rounding leads torch
    astray, four times over.
    """
    model, _ = load_weights(path)
    file = base64.b64encode(path.read_bytes()).decode()
    for row in range(len(inputs)):
        board, of_row = inputs[row : row + 1], None if ids is None else ids[row : row + 1]
        given = {"file": file, "inputs": board.tolist()}
        if ids is not None:
            given["ids"] = of_row.tolist()
        said = torch.tensor(page.evaluate(THINK, given)[0])  # (steps, logits and the halting score)
        steps = list(think(model, board, of_row))
        expected = torch.stack([torch.cat((s.logits.flatten(), s.halt_logit)) for s in steps])
        far = (said - expected).abs().amax(1)
        allowed = torch.full_like(far, CLOSE)
        if (far >= CLOSE).any():
            allowed = (4 * rounding(model, board, of_row)).clamp(min=CLOSE)
        assert (far < allowed).all(), (row, far, allowed)
        for step, ours in enumerate(steps):
            top = ours.logits[0].topk(2).values
            certain = top[:, 0] - top[:, 1] > 2 * allowed[step]
            decoded = said[step][:-1].view(ours.logits.shape[1:]).argmax(-1)
            assert torch.equal(decoded[certain], ours.logits[0].argmax(-1)[certain]), (row, step)


@pytest.mark.parametrize(
    ("name", "puzzles"),
    [
        ("sudoku-6x6", lambda: sudokus(6, 3)),
        ("sudoku-6x6-attention", lambda: sudokus(6, 3)),
        ("sudoku-6x6-hrm-ema", lambda: sudokus(6, 2)),
        ("sudoku-6x6-direct", lambda: sudokus(6, 3)),
        ("sudoku-extreme-laptop", lambda: sudokus(9, 1)),
        ("maze-7x7", lambda: mazes(2)),
        ("mini-arc", lambda: arc_guises(3)),
    ],
)
def test_a_trained_network_says_the_same(page, name, puzzles):
    assert_same_logits(page, ASSETS / "weights" / f"{name}.safetensors", *puzzles())


@pytest.mark.parametrize(
    "config",
    [
        TRMConfig(**SMALL, T=1, n=2, num_latents=0),
        TRMConfig(**SMALL, T=2, n=3, num_latents=3, shared_net=False),
        TRMConfig(**SMALL | {"prefix_len": 0}, T=1, n=1, mixing="attention", positions="learned"),
        TRMConfig(**SMALL, T=1, n=1, num_puzzles=3, puzzle_embedding_size=7),
        DirectConfig(**SMALL | {"prefix_len": 2}, num_heads=3, positions="none", loops=2),
    ],
    ids=["no latent", "three latents", "learned positions", "short embedding", "attention"],
)
def test_any_network_says_the_same(page, tmp_path, config):
    torch.manual_seed(0)
    model = build_network(config)
    model.puzzle_embedding.table.normal_()
    save_weights(model, tmp_path / "weights.safetensors", {}, half=True)
    inputs = torch.randint(8, (2, 36))
    ids = torch.tensor([0, config.num_puzzles - 1])
    assert_same_logits(page, tmp_path / "weights.safetensors", inputs, ids)


# --- boards --------------------------------------------------------------------------------------


def verdict(board):
    """What the package says of a board: its solution, or the message."""
    try:
        return sudoku.solve_one(board).tolist(), None
    except UserError as error:
        return None, str(error)


@pytest.mark.parametrize("size", [4, 6, 9])
def test_a_sudoku_is_judged_as_in_the_notebooks(page, size):
    rng = np.random.default_rng(0)
    boards, solutions = sudoku.generate(4, size, seed=1)
    changed = np.concatenate([boards, boards, solutions])
    cells = rng.integers(size * size, size=len(changed))
    changed[np.arange(len(changed)), cells] = rng.integers(size + 1, size=len(changed))
    several = [*boards, *changed, np.zeros(size * size, np.uint8)]
    judged = page.evaluate(
        """async (boards) => {
          const { check } = await import("/sudoku.js");
          return boards.map(check);
        }""",
        [board.tolist() for board in several],
    )
    for board, found in zip(several, judged, strict=True):
        solution, message = verdict(board)
        assert found["solution"] == solution
        if message is None:
            blanks = (board == 0).sum()
            message = f"A proper puzzle: {blanks} blanks, exactly one solution."
        kind = message.split(":")[0]  # which cell shows that there are several may differ
        assert found["text"].split(":")[0] == kind
    assert len({found["text"].split()[0] for found in judged}) > 2


def test_a_maze_is_solved_as_in_the_package(page):
    mazes, answers = maze.generate(20, 7, seed=3)
    found = page.evaluate(
        """async (mazes) => {
          const { check } = await import("/maze.js");
          return mazes.map((maze) => check(maze).solution);
        }""",
        (mazes - 1).tolist(),  # the page has no padding
    )
    assert found == (answers - 1).tolist()


ROWS = ["....31", "6.....", "..4...", "...2..", ".....5", "31...."]
LINE = "".join(ROWS)
NUMBERS = [[int(cell) if cell != "." else 0 for cell in row] for row in ROWS]
TEXTS = {
    "a line": LINE,
    "zeros": LINE.replace(".", "0"),
    "a rating beside it": f"{LINE};7.1;easy",
    "a number before it": f"12. {LINE}",
    "rows": "\n".join(ROWS),
    "as it is drawn": sudoku.render(sudoku.parse(LINE)),
    "underscores and bars": "\n".join(" ".join(f"{r[:3]}|{r[3:]}").replace(".", "_") for r in ROWS),
    "a frame": "+---+---+\n" + "\n".join(f"|{r[:3]}|{r[3:]}|" for r in ROWS) + "\n+---+---+",
    "empty lines between bands": "\n\n".join("\n".join(ROWS[i : i + 2]) for i in (0, 2, 4)),
    "a title": f"Grid 01\n{LINE}",
    "comments": f"# mine\n{LINE} # easy",
    "a spreadsheet": "\n".join("\t".join(row).replace(".", "") for row in ROWS),
    "CSV": f"source,question,answer\nme,{LINE},{LINE.replace('.', '1')}\n",
    "CSV with semicolons": f"rating;Puzzle\r\n2,5;{LINE}\r\n",
    "a solution before it": f"{'123456' * 6},{LINE}",
    "numbers in JSON": json.dumps(NUMBERS, indent=1),
    "null in JSON": json.dumps([[cell or None for cell in row] for row in NUMBERS]),
    "text in JSON": json.dumps({"puzzle": LINE, "solution": "123456" * 6}),
    "a list in some language": "grid = [\n" + ",\n".join(map(str, NUMBERS)) + ",\n]",
}
PROBLEMS = {
    "...": "has 16, 36 or 81 cells",
    LINE.replace("6", "7"): "uses the digits 1 to 6, but row 2 column 1 holds 7",
    LINE[:-1] + "k": "position 36 holds 'k'",
    "\n".join(ROWS[:4]): "6 cells in a row has 6 rows, but here are 4",
    "<svg>": "looks like HTML",
    "[1, 2": "A Sudoku",
    "": "holds no Sudoku",
}


def test_texts_are_read(page):
    read = page.evaluate(
        """async (texts) => {
          const { readSudokus } = await import("/reading.js");
          return texts.map(readSudokus);
        }""",
        [*TEXTS.values(), *PROBLEMS],
    )
    for name, found in zip([*TEXTS, *PROBLEMS], read, strict=True):
        if name in TEXTS:
            assert found["boards"] == [functools.reduce(operator.iadd, NUMBERS, [])], name
        else:
            assert not found["boards"] and PROBLEMS[name] in found["problem"], name


STEPS = """async ({ file, steps }) => {
  const { readNetwork } = await import("/weights.js");
  const network = readNetwork(await (await fetch(file)).arrayBuffer());
  const tokens = Array.from({ length: network.config.seq_len }, (_, i) => 1 + (i % 5));
  const x = network.embed(tokens), taken = [];
  for (let state = network.start(); taken.length < steps; ) {
    const began = performance.now();
    state = network.step(x, state);
    network.read(state);
    taken.push(performance.now() - began);
  }
  return [taken[0], taken.reduce((a, b) => a + b) / taken.length];
}"""


@pytest.mark.parametrize(("name", "goal"), [("sudoku-6x6", 100), ("sudoku-extreme-laptop", 1_000)])
def test_the_first_step_is_quick(browser, address, name, goal):
    """In milliseconds; -s shows them. Other tests run beside it, so ten times as long will do."""
    page = browser.new_page()  # whose JavaScript has not been compiled yet
    page.goto(address)
    given = {"file": f"/assets/weights/{name}.safetensors", "steps": 80 if BOARDS else 2}
    taken, mean = page.evaluate(STEPS, given)
    print(f"{name}: {taken:.0f} ms, goal {goal}; {mean:.0f} ms on average of {given['steps']}")
    assert taken < 10 * goal
    page.close()
