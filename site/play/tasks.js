// The demonstrations of an ARC task, drawn for the reader.

import { make } from "./grid.js";
import { PUZZLES } from "./puzzles.js";

export function drawTask(el, { task, shown }) {
  const title = make("h2", "");
  title.textContent = "The rule, as it was shown to the network when it learned";
  const pairs = make("div", "pairs");
  shown.forEach(([question, answer], i) => {
    const pair = make("div", "pair", { role: "img", "aria-label": `Demonstration ${i + 1} of task ${task}: ${inWords(question)} becomes ${inWords(answer)}` });
    pair.append(drawGrid(question), make("span", "arrow"), drawGrid(answer));
    pairs.append(pair);
  });
  const note = make("p", "hint");
  note.textContent = "Now it sees only the question below. What it remembers of this task is a single vector of 64 numbers.";
  el.replaceChildren(title, pairs, note);
}

const inWords = (grid) => grid.map((row) => row.join("")).join(" ");

function drawGrid(grid) {
  const board = make("div", "tiny");
  board.style.setProperty("--n", grid[0].length);
  for (const colour of grid.flat()) board.append(make("span", "", { style: `background: ${PUZZLES.arc.palette[colour + 2]}` }));
  return board;
}
