// Mazes: an array of n * n cells, row by row; each is the index of one of these characters.

export const CHARACTERS = "# SGo";
export const [WALL, OPEN, START, GOAL, PATH] = [0, 1, 2, 3, 4];

// Down, left, right, up: where several shortest paths exist, the order chooses between them.
const STEPS = [[1, 0], [0, -1], [0, 1], [-1, 0]];

/** The maze of this size in a text, or a sentence on what is wrong. */
export function read(text, size) {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  while (lines.length && !lines[0]) lines.shift();
  while (lines.length && !lines.at(-1)) lines.pop();
  // Spaces at the end of a line get lost on the way through a clipboard.
  const rows = lines.length > 1 ? lines.map((line) => line.padEnd(size)) : lines;
  const cells = rows.join("");
  const strange = [...cells].find((character) => !CHARACTERS.includes(character));
  if (strange) return { problem: `A maze is written with '#', space, 'S', 'G' and 'o', but this one holds '${strange}'.` };
  if (cells.length !== size * size || (lines.length > 1 && lines.length !== size))
    return { problem: `Here is room for a maze of ${size}x${size} cells; write ${size} lines of ${size} characters.` };
  return { board: [...cells].map((character) => CHARACTERS.indexOf(character)).map((cell) => (cell === PATH ? OPEN : cell)) };
}

/** The answer to a maze, or why there is none, as a sentence. */
export function check(board) {
  for (const [value, name] of [[START, "start S"], [GOAL, "goal G"]]) {
    const count = board.filter((cell) => cell === value).length;
    if (count !== 1) return { solution: null, proper: false, text: `A maze needs exactly one ${name}, but this one has ${count}.` };
  }
  const size = Math.sqrt(board.length), start = board.indexOf(START), goal = board.indexOf(GOAL);
  const parents = new Map([[start, start]]), queue = [start];
  for (const cell of queue) {
    for (const [down, right] of STEPS) {
      const row = Math.floor(cell / size) + down, column = (cell % size) + right, next = row * size + column;
      if (row < 0 || row >= size || column < 0 || column >= size || board[next] === WALL || parents.has(next)) continue;
      parents.set(next, cell);
      queue.push(next);
    }
  }
  if (!parents.has(goal)) return { solution: null, proper: false, text: "No path leads from S to G in this maze; open some of its walls." };
  const solution = [...board];
  for (let cell = parents.get(goal); cell !== start; cell = parents.get(cell)) solution[cell] = PATH;
  return { solution, proper: true, text: `The shortest path takes ${solution.filter((cell) => cell === PATH).length + 1} steps.` };
}
