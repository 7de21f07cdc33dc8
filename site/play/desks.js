// What the page offers: the desks on which a puzzle can lie, and what stands beside a thought.

// Where a puzzle lies: its sizes, and the networks that can think about it.
export const DESKS = {
  "sudoku-6": {
    tab: "Sudoku 6×6", puzzle: "sudoku", side: 6, steps: 16, grade: 3, lead: "Sixty-six thousand parameters change their mind until the board is right.",
    networks: { "sudoku-6x6": "TRM", "sudoku-6x6-hrm-ema": "HRM", "sudoku-6x6-direct": "direct prediction" },
  },
  "sudoku-9": {
    tab: "Sudoku 9×9", puzzle: "sudoku", side: 9, steps: 16, grade: 1, lead: "Three hundred and eighty-four thousand parameters change their mind until the board is right.",
    networks: { "sudoku-extreme-laptop": "TRM" },
  },
  "maze-7": {
    tab: "Maze", puzzle: "maze", side: 7, steps: 16, grade: 2, lead: "Eighty-six thousand parameters look for the way from S to G.",
    networks: { "maze-7x7": "TRM" },
  },
  "arc-6": {
    tab: "Mini-ARC", puzzle: "arc", side: 6, steps: 4, halts: true, grade: 0, lead: "A hundred and four thousand parameters apply a rule that they were shown a few times.",
    networks: { "mini-arc": "TRM" },
  },
};
/** How a puzzle can be written as text. */
export const WRITTEN = {
  sudoku: "A Sudoku as text: a line of digits and dots, several lines, CSV or JSON",
  maze: "A maze as text: lines of # for a wall, a space or dot for a way, S and G",
  arc: "A grid as text: rows of the colours 0 to 9, or JSON",
};
export const HINTS = {
  "": "Tap or click a cell, or press Enter on it, to follow it through time.",
  guise: "The same puzzle with other digits, rows and columns; its answer is shown translated back. A fresh chance.",
  turn: "The same puzzle turned or mirrored; its answer is shown translated back. A fresh chance.",
  noise: "Its notes z begin in another, random state. Does it arrive at the same answer?",
  force: "Tap or click a cell on the board, choose a step on the slider and a value. Its answer y is overwritten there, in mid-thought.",
  network: "Another network thinks about the same puzzle. Cells in which the boards differ have a marked corner.",
};
