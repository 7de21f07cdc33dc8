// ARC grids as tokens on a square canvas: PAD is 0, EOS borders a grid, colour c is c + 2.

const EOS = 1, BLACK = 2;

/** The grid (an array of rows) in the upper left corner of a canvas of `side`, as tokens. */
export function toTokens(grid, side) {
  const tokens = new Array(side * side).fill(0), rows = grid.length, columns = grid[0].length;
  for (let row = 0; row <= Math.min(rows, side - 1); row++) {
    for (let column = 0; column <= Math.min(columns, side - 1); column++) {
      if (row < rows && column < columns) tokens[row * side + column] = grid[row][column] + BLACK;
      else if (row < rows || column < columns) tokens[row * side + column] = EOS;
    }
  }
  return tokens;
}

/** Rows and columns of the largest rectangle of colours at the upper left of some tokens. */
export function extent(tokens) {
  const side = Math.sqrt(tokens.length);
  let widest = side, best = [0, 0];
  for (let row = 0; row < side; row++) {
    let width = 0;
    while (width < side && tokens[row * side + width] >= BLACK) width++;
    widest = Math.min(widest, width);
    if (widest * (row + 1) > best[0] * best[1]) best = [row + 1, widest];
  }
  return best;
}

/** The grid in a text (rows of digits, or JSON), no larger than `side`; or what is wrong. */
export function read(text, side) {
  let grid;
  try {
    grid = JSON.parse(text);
  } catch {
    grid = text.trim().split(/\r?\n/).map((line) => [...line.replace(/[\s,;|]/g, "").replaceAll(".", "0")].map(Number));
  }
  const fits = Array.isArray(grid) && grid.length && grid.length <= side && grid.every(
    (row) => Array.isArray(row) && row.length && row.length <= side && row.length === grid[0].length
      && row.every((colour) => Number.isInteger(colour) && colour >= 0 && colour <= 9),
  );
  return fits ? { grid } : { problem: `A grid is written as rows of equally many colours, 0 to 9, at most ${side}x${side}.` };
}

/** Where each cell of a turned grid comes from: an array of rows of [row, column]. */
export function turned(rows, columns, turn) {
  const grid = Array.from({ length: rows }, (_, r) => Array.from({ length: columns }, (_, c) => [r, c]));
  const left = (g) => g[0].map((_, i) => g.map((row) => row[g[0].length - 1 - i]));
  const mirror = (g) => g.map((row) => [...row].reverse());
  return [
    (g) => g, left, (g) => left(left(g)), (g) => left(left(left(g))), mirror, (g) => [...g].reverse(),
    (g) => g[0].map((_, i) => g.map((row) => row[i])), (g) => mirror(left(g)),
  ][turn](grid);
}
