// Sudokus: their geometry, their rules, an exact solver, and the guises of a board.
// A board is an array of n * n numbers, row by row; 0 is a blank.

const BOXES = { 4: [2, 2], 6: [2, 3], 9: [3, 3] }; // size -> rows and columns of a box
const MOST_GUESSES = 20000; // a board that needs more contradicts itself somewhere deep

export const boxOf = (size) => BOXES[size];

const known = {};

/** The cells of each unit (rows, then columns, then boxes), and the units of each cell. */
function geometry(size) {
  if (known[size]) return known[size];
  const [high, wide] = BOXES[size], units = Array.from({ length: 3 * size }, () => []);
  const unitsOf = Array.from({ length: size * size }, (_, cell) => {
    const row = Math.floor(cell / size), column = cell % size;
    const box = Math.floor(row / high) * (size / wide) + Math.floor(column / wide);
    const own = [row, size + column, 2 * size + box];
    own.forEach((unit) => units[unit].push(cell));
    return own;
  });
  return (known[size] = { units, unitsOf });
}

/** Which cells hold a digit that stands again in their row, column or box. */
export function violations(board) {
  const { units } = geometry(Math.sqrt(board.length)), broken = new Array(board.length).fill(false);
  for (const unit of units)
    for (const cell of unit)
      broken[cell] ||= board[cell] > 0 && unit.some((other) => other !== cell && board[other] === board[cell]);
  return broken;
}

/** A sentence on the first two equal digits in a row, column or box; "" if there are none. */
function clash(board) {
  const size = Math.sqrt(board.length), { units } = geometry(size);
  const at = (cell) => [Math.floor(cell / size) + 1, (cell % size) + 1];
  for (const [number, unit] of units.entries()) {
    for (let digit = 1; digit <= size; digit++) {
      const twins = unit.filter((cell) => board[cell] === digit);
      if (twins.length < 2) continue;
      const [[rowA, columnA], [rowB, columnB]] = twins.slice(0, 2).map(at), n = (number % size) + 1;
      if (number < size) return `Row ${n} holds two ${digit}s, in columns ${columnA} and ${columnB}; change one of them.`;
      if (number < 2 * size) return `Column ${n} holds two ${digit}s, in rows ${rowA} and ${rowB}; change one of them.`;
      return `Box ${n} holds two ${digit}s, at row ${rowA} column ${columnA} and at row ${rowB} column ${columnB}; change one of them.`;
    }
  }
  return "";
}

/** What can be said of a board: its only solution, or why there is none, as a sentence. */
export function check(board) {
  const problem = clash(board);
  if (problem) return { solution: null, proper: false, text: problem };
  const size = Math.sqrt(board.length), { found, complete } = solve(board);
  if (found.length === 1 && complete) {
    const blanks = board.filter((digit) => !digit).length;
    return { solution: found[0], proper: true, text: `A proper puzzle: ${blanks} blanks, exactly one solution.` };
  }
  let text = "This Sudoku has no solution; check its clues.";
  if (found.length > 1) {
    const cell = found[0].findIndex((digit, i) => digit !== found[1][i]);
    text = `This Sudoku has more than one solution: row ${Math.floor(cell / size) + 1} column ${(cell % size) + 1} can hold ${found[0][cell]} or ${found[1][cell]}; add a clue.`;
  } else if (!complete) {
    text = "Whether this Sudoku has exactly one solution is still open after many guesses; check its clues, which may contradict each other.";
  }
  return { solution: null, proper: false, text };
}

const bitCount = (mask) => { let count = 0; for (; mask; mask &= mask - 1) count++; return count; };

/** Up to two solutions, by depth-first search; `complete` unless it was given up. */
function solve(board) {
  const size = Math.sqrt(board.length), { units, unitsOf } = geometry(size), full = 2 ** size - 1;
  const values = [...board], taken = new Array(units.length).fill(0), found = [];
  let guesses = 0;
  const put = (cell, bit) => unitsOf[cell].forEach((unit) => (taken[unit] ^= bit));
  values.forEach((digit, cell) => digit && put(cell, 1 << (digit - 1)));

  /** The most constrained move: the cell and bits to try, from a cell or from a unit. */
  const next = () => {
    let best = null, fewest = Infinity;
    const place = new Int32Array(units.length * size).fill(-1), places = new Int32Array(units.length * size);
    for (let cell = 0; cell < values.length; cell++) {
      if (values[cell]) continue;
      const [row, column, box] = unitsOf[cell], mask = full & ~(taken[row] | taken[column] | taken[box]);
      const count = bitCount(mask);
      if (count < fewest) [fewest, best] = [count, [[cell, mask]]];
      if (!count) return best;
      for (const unit of unitsOf[cell])
        for (let digit = 0; digit < size; digit++)
          if ((mask >> digit) & 1) { places[unit * size + digit]++; place[unit * size + digit] = cell; }
    }
    if (fewest <= 1) return best;
    for (let unit = 0; unit < units.length; unit++) {
      for (let digit = 0; digit < size; digit++) {
        if ((taken[unit] >> digit) & 1) continue;
        if (!places[unit * size + digit]) return [[0, 0]]; // a digit without a place
        if (places[unit * size + digit] === 1) return [[place[unit * size + digit], 1 << digit]];
      }
    }
    return best;
  };

  const search = () => {
    const moves = next();
    if (!moves) return void found.push([...values]);
    for (const [cell, mask] of moves) {
      if (bitCount(mask) > 1) guesses++;
      for (let digit = 0; digit < size; digit++) {
        if (!((mask >> digit) & 1)) continue;
        values[cell] = digit + 1;
        put(cell, 1 << digit);
        search();
        put(cell, 1 << digit);
        values[cell] = 0;
        if (found.length > 1 || guesses > MOST_GUESSES) return;
      }
    }
  };
  search();
  return { found, complete: guesses <= MOST_GUESSES || found.length > 1 };
}

/** The numbers 0 to n - 1 in a random order. */
export function shuffled(n, random = Math.random) {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/**
 * A random symmetry: which old cell each new cell is copied from, and the new digit of each old
 * one. Bands and the rows in them, stacks and the columns in them are moved; square boxes may
 * also be transposed.
 */
export function randomGuise(size) {
  const [high, wide] = BOXES[size];
  const lines = (parts, each) => shuffled(parts).flatMap((part) => shuffled(each).map((line) => part * each + line));
  const rows = lines(size / high, high), columns = lines(size / wide, wide);
  let cells = rows.flatMap((row) => columns.map((column) => row * size + column));
  if (high === wide && Math.random() < 0.5)
    cells = cells.map((_, i) => cells[(i % size) * size + Math.floor(i / size)]);
  return { cells, digits: [0, ...shuffled(size).map((digit) => digit + 1)] };
}
