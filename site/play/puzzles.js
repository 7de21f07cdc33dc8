// The kinds of puzzles: how a board becomes tokens, how it is read from a text and written into a
// link, and in which other guises a network can be shown it.

import * as arc from "./arc.js";
import * as maze from "./maze.js";
import { readSudokus } from "./reading.js";
import * as sudoku from "./sudoku.js";

const sides = (board) => Math.round(Math.sqrt(board.length));

/** A guise in which cell i shows what was in cell cells[i], and token t has become tokens[t]. */
function rearranged(cells, tokens, words) {
  const back = (chances, V) => {
    const result = new Float32Array(chances.length);
    cells.forEach((old, cell) => tokens.forEach((renamed, token) => (result[old * V + token] = chances[cell * V + renamed])));
    return result;
  };
  return { words, see: (seen) => cells.map((cell) => tokens[seen[cell]]), back };
}

const SUDOKU = {
  blank: (side) => new Array(side * side).fill(0),
  toTokens: (board) => board.map((digit) => digit + 1),
  fromTokens: (tokens) => tokens.map((token) => Math.max(token - 1, 0)),
  boxes: (side) => sudoku.boxOf(side),
  breaks: (board, puzzle) => sudoku.violations(board).map((broken, i) => broken || (puzzle[i] > 0 && board[i] !== puzzle[i])),
  text: (value) => (value ? String(value) : ""),
  values: (side) => Array.from({ length: side }, (_, i) => [i + 1, String(i + 1)]),
  write: (board) => board.map((digit) => digit || ".").join(""),
  read(text, side) {
    const { boards, problem } = readSudokus(text);
    if (problem) return { problem };
    const board = boards.find((one) => sides(one) === side) ?? boards[0];
    const others = boards.length > 1 ? `The text holds ${boards.length} Sudokus; this is the first that fits.` : "";
    return { board, note: others };
  },
  guise(board) {
    const { cells, digits } = sudoku.randomGuise(sides(board));
    const renamed = digits.slice(1).map((to, i) => `${i + 1} as ${to}`).join(", ");
    return rearranged(cells, [0, 1, ...digits.slice(1).map((digit) => digit + 1)], `${renamed}; rows and columns moved`);
  },
};

const MAZE = {
  blank: (side) => [maze.START, ...new Array(side * side - 2).fill(maze.OPEN), maze.GOAL],
  toTokens: (board) => board.map((cell) => cell + 1),
  fromTokens: (tokens) => tokens.map((token) => Math.max(token - 1, 0)),
  boxes: () => [],
  breaks: (board, puzzle) => board.map((cell, i) => cell !== puzzle[i] && !(cell === maze.PATH && puzzle[i] === maze.OPEN)),
  text: (value) => ({ [maze.START]: "S", [maze.GOAL]: "G" })[value] ?? "",
  palette: ["var(--wall)", "var(--trm-paper)", "var(--trm-paper)", "var(--trm-paper)", "var(--trm-right)"],
  values: () => [[maze.PATH, "path"], [maze.OPEN, "open"]],
  paints: [[maze.WALL, "wall", "#"], [maze.OPEN, "open", " "], [maze.START, "S", "S"], [maze.GOAL, "G", "G"]],
  write: (board) => board.map((cell) => maze.CHARACTERS[cell]).join("").replaceAll(" ", "."),
  read: (text, side) => maze.read(text.includes(" ") ? text : text.replaceAll(".", " "), side),
  guise(board) {
    const side = sides(board), turn = 1 + Math.floor(Math.random() * 7);
    const cells = arc.turned(side, side, turn).flat().map(([row, column]) => row * side + column);
    return rearranged(cells, [0, 1, 2, 3, 4, 5], TURNS[turn]);
  },
};

const TURNS = ["as it is", "turned left", "turned by 180 degrees", "turned right", "mirrored left to right",
  "mirrored top to bottom", "transposed", "transposed about the other diagonal"];

const ARC = {
  // By token: outside, border, and the ten colours in which ARC is usually shown.
  palette: ["var(--trm-paper)", "var(--border)", "#000000", "#1e78d2", "#ff4136", "#2ecc40", "#ffdc00", "#9a9a9a", "#e53aa3",
    "#ff851b", "#87d8f1", "#921231"],
  toTokens: (tokens) => tokens,
  /** Only the grid counts; beyond it the network was never told what to write. */
  fromTokens(tokens) {
    const side = sides(tokens), [rows, columns] = arc.extent(tokens);
    const grid = Array.from({ length: rows }, (_, r) => tokens.slice(r * side, r * side + columns).map((token) => token - 2));
    return rows ? arc.toTokens(grid, side) : tokens.map(() => 0);
  },
  boxes: () => [],
  breaks: (board) => board.map(() => false),
  text: () => "",
  values: () => COLOURS.map((name, colour) => [colour + 2, name]),
  paints: ["black", "blue", "red", "green", "yellow", "grey", "magenta", "orange", "sky", "maroon"]
    .map((name, colour) => [colour + 2, name, String(colour)]),
  write: (tokens) => tokens.map((token) => token.toString(16)).join(""),
  read(text, side) {
    const { grid, problem } = arc.read(text, side);
    return problem ? { problem } : { board: arc.toTokens(grid, side) };
  },
  /** The network knows every task in sixteen guises, each under an identifier of its own. */
  guise(tokens, task) {
    const number = 1 + Math.floor(Math.random() * (task.guises.length - 1)), side = sides(tokens);
    const [turn, colours] = task.guises[number], renamed = [0, 1, ...[...colours].map((colour) => Number(colour) + 2)];
    const see = (seen) => {
      const [rows, columns] = arc.extent(seen);
      const grid = arc.turned(rows, columns, turn).map((row) => row.map(([r, c]) => renamed[seen[r * side + c]] - 2));
      return arc.toTokens(grid, side);
    };
    return { words: TURNS[turn], see, identifier: task.first + number, back: (chances, V) => arcBack(chances, V, side, turn, renamed) };
  },
};

const COLOURS = ARC.paints.map(([, name]) => name);
const INVERSE = [0, 3, 2, 1, 4, 5, 6, 7];

/** The probabilities of an ARC answer, turned back: what is beyond its grid is certain. */
function arcBack(chances, V, side, turn, renamed) {
  const answer = Array.from({ length: side * side }, (_, cell) => likeliest(chances, cell, V));
  const [rows, columns] = arc.extent(answer), result = new Float32Array(chances.length);
  if (!rows) return chances;
  const grid = arc.turned(rows, columns, INVERSE[turn]);
  arc.toTokens(grid.map((row) => row.map(() => 0)), side).forEach((token, cell) => {
    const from = grid[Math.floor(cell / side)]?.[cell % side];
    if (!from) result[cell * V + token] = 1;
    else renamed.forEach((seen, old) => (result[cell * V + old] = chances[(from[0] * side + from[1]) * V + seen]));
  });
  return result;
}

/** The token with the greatest chance in a cell. */
export function likeliest(chances, cell, V) {
  let best = 0;
  for (let token = 1; token < V; token++) if (chances[cell * V + token] > chances[cell * V + best]) best = token;
  return best;
}

export const PUZZLES = { sudoku: SUDOKU, maze: MAZE, arc: ARC };
export { toTokens as arcTokens } from "./arc.js";
