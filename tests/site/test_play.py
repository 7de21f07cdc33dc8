"""The thinking page as a reader uses it: on a phone, by keyboard, offline."""

import json
import re
from urllib.parse import urlsplit

import pytest
import torch
from shared_settings import SMALL

from trm_lite.common import ASSETS, UserError
from trm_lite.nets import build_network
from trm_lite.nets.configs import DirectConfig, TRMConfig
from trm_lite.nets.weights import save_weights
from trm_lite.puzzles import sudoku

BOARDS, SOLUTIONS = sudoku.generate(2, 6, seed=11)
PUZZLE, SOLUTION = sudoku.to_line(BOARDS[0]), sudoku.to_line(SOLUTIONS[0])
NINE = "..2.816..84......5.........5...4..8...9..67.......9..3..3.....71......5.79.6.3..."
CELLS = "cells => cells.map((cell) => cell.textContent.trim() || '.').join('')"
FIELDS = "fields => fields.map((field) => field.value || '.').join('')"
TOO_WIDE = """() => [...document.querySelectorAll('body *')]
  .filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1)
  .map((e) => e.id || e.className)"""


def choose(page, tab):
    page.locator("#desks").get_by_role("radio", name=tab).click()


def says(page, words):
    page.locator("#message", has_text=words).wait_for()


def edited(page):
    return page.locator("#editor .trm-digit").evaluate_all(FIELDS)


def thought(page, number=0):
    return page.locator("#view .trm-board").nth(number).locator(".trm-look").evaluate_all(CELLS)


def paste(page, text):
    page.locator("#editor .trm-digit").first.evaluate(
        """(field, text) => {
          const clipboardData = new DataTransfer();
          clipboardData.setData("text", text);
          const how = { clipboardData, bubbles: true, cancelable: true };
          field.dispatchEvent(new ClipboardEvent("paste", how));
        }""",
        text,
    )


def think(page):
    """Press the button, and go to the end of the film once all steps are there."""
    page.locator("#think").click()
    to_the_end(page)


def to_the_end(page):
    page.locator("#more").wait_for()
    page.locator("#view .trm-slider").focus()
    page.keyboard.press("End")


def ends_as(page, solved):
    """Whether the thoughts beside each other end as said; steps may still be under way."""
    for _ in range(100):
        to_the_end(page)
        if [thought(page, number) == SOLUTION for number in range(len(solved))] == solved:
            return True
        page.wait_for_timeout(100)
    return False


@pytest.fixture
def small(page):
    """The page with a board of 6x6 on its desk."""
    choose(page, "6×6")
    paste(page, PUZZLE)
    says(page, "A proper puzzle")
    return page


def test_a_sudoku_is_typed_and_solved_by_keyboard_alone(page):
    choose(page, "6×6")
    keys = page.keyboard
    page.locator("#desks [aria-checked=true]").focus()
    keys.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == "Sudoku 9×9"
    keys.press("ArrowLeft")
    for _ in range(3):  # example, another, empty board
        keys.press("Tab")
    keys.press("Enter")
    for _ in range(3):  # paste as text, think, the board
        keys.press("Tab")
    assert page.evaluate("document.activeElement.ariaLabel") == "row 1, column 1"
    for cell, digit in enumerate(PUZZLE):
        if digit != ".":
            keys.press("Control+Home")
            for key, times in zip(("ArrowDown", "ArrowRight"), divmod(cell, 6), strict=True):
                for _ in range(times):
                    keys.press(key)
            keys.press(digit)
    assert edited(page) == PUZZLE
    says(page, f"A proper puzzle: {PUZZLE.count('.')} blanks, exactly one solution.")
    keys.press("Shift+Tab")
    keys.press("Enter")
    says(page, "Solved.")
    assert thought(page) == SOLUTION
    assert page.locator("#view .trm-curves svg").count() == 1


def test_a_link_holds_the_board(small, browser, address):
    link = small.evaluate("location.href")
    assert link.startswith(address)
    other = browser.new_page()
    other.goto(link)
    other.locator("#editor .trm-digit").first.wait_for()
    assert edited(other) == PUZZLE
    other.evaluate(
        "location.hash = 'maze-7:' + encodeURIComponent('S#.....'.repeat(6) + '......G')"
    )
    says(other, "exactly one start S, but this one has 6")
    other.evaluate("location.hash = 'sudoku-6:nonsense'")
    says(other, "The link holds no puzzle for this page.")
    other.close()


@pytest.mark.parametrize("cells", [{0: 1, 3: 1}, {0: 1, 35: 0}, {8: 9}])
def test_a_bad_board_is_named_as_in_the_notebooks(small, cells):
    board = BOARDS[1].copy()
    for cell, digit in cells.items():
        board[cell] = digit
    paste(small, sudoku.to_line(board))
    with pytest.raises(UserError) as error:
        sudoku.solve_one(sudoku.parse(sudoku.to_line(board)))
    says(small, str(error.value).split(":")[0].split("line")[0])


def test_what_is_no_digit_is_named(small):
    small.locator("#editor .trm-digit").nth(8).press("x")
    says(small, "Row 2 column 3 holds “x”; type a digit from 1 to 6, or nothing.")


def test_text_is_read_and_goes_to_the_desk_that_fits(small):
    for text in (NINE, f"question,answer\n{PUZZLE},{SOLUTION}"):
        small.locator("#text").click()
        small.locator("#pasted").fill(text)
        small.locator("#read").click()
        says(small, "A proper puzzle")
        small.locator("#text-panel").wait_for(state="hidden")  # the board is in sight again
    assert edited(small) == PUZZLE
    small.locator("#text").click()
    small.locator("#pasted").fill("hello")
    small.locator("#read").click()
    says(small, "position 1 holds 'h'")
    assert edited(small) == PUZZLE
    small.locator("#text").click()


def test_networks_guises_noise_and_what_if_stand_beside_it(small):
    think(small)
    for choice in ("HRM", "direct prediction", "another guise", "a noisy start"):
        small.locator("#beside").select_option(label=choice)
        small.locator("#view .trm-run").nth(1).wait_for()
        assert ends_as(small, [True, choice != "direct prediction"]), choice
    small.locator("#beside").select_option(label="what if …")
    cell = PUZZLE.index(".")
    wrong = "1" if SOLUTION[cell] != "1" else "2"
    small.locator("#view .trm-look").nth(cell).click()
    small.locator("#value").select_option(wrong)
    small.locator("#view .trm-slider").fill("2")
    small.locator("#put").click()
    small.locator("#view .trm-run").nth(1).wait_for()
    small.locator("#more").wait_for()
    small.locator("#view .trm-slider").fill("2")
    assert thought(small)[cell] != wrong and thought(small, 1)[cell] == wrong
    assert f"{SOLUTION[cell]} (right)" in small.locator("#view .trm-curves svg").text_content()


def test_it_thinks_on(small):
    small.locator("#beside").select_option("")
    think(small)
    small.locator("#more").click()
    small.locator("#view .trm-count", has_text="of 32").wait_for()
    to_the_end(small)
    assert thought(small) == SOLUTION


def test_mazes_and_arc_are_painted_and_thought_about(page):
    choose(page, "Maze")
    says(page, "The shortest path takes")
    goal = page.locator("#editor .trm-board .trm-look", has_text="G")
    goal.focus()
    page.keyboard.press("#")
    says(page, "A maze needs exactly one goal G, but this one has 0.")
    page.keyboard.press("g")
    says(page, "The shortest path takes")
    think(page)
    assert page.locator("#view [aria-label*='path']").count() > 5
    choose(page, "ARC")
    think(page)
    says(page, "Solved. It stopped by itself after one step")
    colours = page.locator("#view .trm-look").evaluate_all(
        "cells => new Set(cells.map((c) => getComputedStyle(c).backgroundColor)).size"
    )
    assert colours > 2


def test_an_empty_board_says_how_to_begin(page):
    choose(page, "6×6")
    page.locator("#clear").click()
    says(page, "Tap or click a cell and type a digit")
    assert page.locator("#example").evaluate("e => e.selectedOptions[0].text") == "your own"
    page.locator("#another").click()
    says(page, "A proper puzzle")


def test_a_single_cell_breaks_a_rule(page):
    said = page.evaluate(
        """async (solutions) => {
          const { conclusion, newThought } = await import("/thoughts.js");
          const board = [1, ...new Array(15).fill(0)], answer = [2, ...board.slice(1)];
          return solutions.map((solution) => conclusion({
            ...newThought({ puzzle: "sudoku", side: 4, board, solution }),
            boards: [answer], halt: [0],
          }, { steps: 1 })[0]);
        }""",
        [None, [1] + 15 * [0]],
    )
    assert "1 cell breaks a rule" in said[0] and "1 cell is wrong" in said[1]


def test_a_phone_on_its_side_shows_cells_that_can_be_touched(page):
    choose(page, "9×9")
    page.set_viewport_size({"width": 844, "height": 390})
    cell = page.locator("#editor .trm-look").first.bounding_box()
    page.set_viewport_size({"width": 390, "height": 844})
    assert cell["width"] > 30


def test_a_link_that_must_not_be_copied_is_in_the_address_bar(page):
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject('denied'); }")
    page.locator("#link").click()
    says(page, "Copy the address of this page from the address bar.")


@pytest.mark.parametrize("tab", ["6×6", "9×9", "Maze", "ARC"])
def test_a_phone_is_wide_enough(page, tab):
    choose(page, tab)
    assert page.evaluate(TOO_WIDE) == []
    page.locator("#beside").select_option(label="a noisy start")
    page.locator("#think").click()
    page.locator("#view .trm-run").nth(1).wait_for()
    assert page.evaluate(TOO_WIDE) == []
    page.locator("#edit").click()


def test_it_needs_nobody_else(page, address):
    """Everything comes from one place, is small, and is there before it is asked for."""
    assert {urlsplit(answer.url).netloc for answer in page.requests} == {urlsplit(address).netloc}
    sizes = [int(answer.headers["content-length"]) for answer in page.requests]
    assert 1e6 < sum(sizes) < 3e6
    page.context.set_offline(True)
    choose(page, "9×9")
    page.locator("#think").click()
    page.locator("#view .trm-count", has_text=re.compile(r"of \d")).wait_for()
    page.locator("#edit").click()
    page.context.set_offline(False)


# --- weights of one's own ------------------------------------------------------------------------


def offer(page, path):
    page.locator("#file").set_input_files(path)


def test_weights_of_ones_own_get_a_desk(page, tmp_path):
    path = tmp_path / "mine.safetensors"
    sizes = SMALL | {"vocab_size": 6, "seq_len": 16}
    save_weights(build_network(TRMConfig(**sizes, T=1, n=1)), path, {})
    offer(page, path)
    says(page, "mine.safetensors is open: TRM")
    assert page.locator("#desks [aria-checked=true]").text_content() == "Sudoku 4×4"
    think(page)
    assert len(thought(page)) == 16


def test_weights_beside_those_of_the_course(small, tmp_path):
    path = tmp_path / "best.safetensors"
    save_weights(build_network(DirectConfig(**SMALL, num_heads=4)), path, {})
    offer(small, path)
    says(small, "best.safetensors is open: Direct")
    assert edited(small) == PUZZLE
    think(small)
    assert thought(small) != SOLUTION
    small.locator("#network").select_option(label="TRM")


def damaged(tmp_path):
    content = (ASSETS / "weights" / "sudoku-6x6-direct.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    torch.manual_seed(0)

    def with_config(**changes):
        config = json.loads(header["__metadata__"]["config"]) | changes
        changed = header | {"__metadata__": {"config": json.dumps(config)}}
        written = json.dumps(changed).encode()
        return len(written).to_bytes(8, "little") + written + content[8 + length :]

    return {
        b"hello": "not a complete .safetensors file",
        content[:1000]: "not a complete .safetensors file",
        content[:-100]: "is cut off",
        with_config(hidden_size=64): "do not fit its description",
        with_config(network="Mystery"): "does not know the network “Mystery”",
        with_config(network="Autoregressive"): "writes its answer token by token",
        with_config(damping=0.5): "does not know the setting “damping”",
        with_config(vocab_size=9): "do not fit its description",
        with_config(puzzle="queens"): "does not know the puzzle “queens”",
        (2).to_bytes(8, "little") + b"{}": "does not say which network it holds",
    }


def test_a_file_that_cannot_be_read_is_named(small, tmp_path):
    path = tmp_path / "broken.safetensors"
    for content, words in damaged(tmp_path).items():
        path.write_bytes(content)
        small.evaluate("document.querySelector('#message').textContent = ''")
        offer(small, path)
        says(small, words)
    assert edited(small) == PUZZLE
