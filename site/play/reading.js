// Finds Sudokus in a text, in the formats that `trm-lite solve` reads: one board per line with
// anything beside it; boards over several lines, with rules, titles and empty lines; CSV; JSON.

const SIZES = [4, 6, 9], COUNTS = SIZES.map((size) => size * size);
const CELL = /^[1-9.0_*xX?\-·]$/;
const BETWEEN = /[\s,;:|/"'[\](){}\u2500-\u257f]+/g; // what may stand between cells
const COLUMNS = ["question", "questions", "puzzle", "puzzles", "quiz", "quizzes", "problem", "sudoku", "board", "grid", "clues", "unsolved"];
const TITLE = /^(\W*(grid|puzzle|sudoku|board|problem|quiz|game|level|number|no|nr)\b\W*\d*\W*|\d{1,2}|#\d{1,6}|\(?\d{1,6}[.):])$/i;

const holds = (text) => text !== "" && [...text].every((character) => CELL.test(character));
const isBoard = (text) => COUNTS.includes(text.length) && holds(text);
const isRow = (text) => SIZES.includes(text.length) && holds(text);
const digits = (text) => [...text].map((character) => (/[1-9]/.test(character) ? Number(character) : 0));

/** All boards in a text, in its order, and a sentence on what could not be read, if anything. */
export function readSudokus(text) {
  text = text.replace(/^\ufeff/, "").replace(/\r\n?/g, "\n");
  if (!text.trim()) return { boards: [], problem: "This text holds no Sudoku; write digits, and dots for blanks." };
  if (text.trim().startsWith("<"))
    return { boards: [], problem: "This looks like HTML or XML; copy the boards out of it as plain text." };
  const { boards, problem } = readJson(text.trim()) ?? readCsv(text.split("\n")) ?? readLines(text.split("\n"));
  for (const board of boards) {
    const size = Math.sqrt(board.length), cell = board.findIndex((digit) => digit > size);
    if (cell >= 0)
      return { boards: [], problem: `A Sudoku of size ${size} uses the digits 1 to ${size}, but row ${Math.floor(cell / size) + 1} column ${(cell % size) + 1} holds ${board[cell]}.` };
  }
  return { boards, problem: boards.length ? "" : problem };
}

// --- JSON --------------------------------------------------------------------------------------

function readJson(text) {
  if (!"[{".includes(text[0])) return null;
  let values;
  try {
    values = [JSON.parse(text)];
  } catch {
    try {
      values = text.split("\n").filter((line) => line.trim()).map((line) => JSON.parse(line));
    } catch {
      return null; // "[Puzzle]", or a list in some programming language
    }
  }
  return { boards: values.flatMap(boardsIn), problem: "This JSON holds no board; write a list of 16, 36 or 81 cells, or of rows." };
}

/** The boards of a JSON value: it is one, or holds some. */
function boardsIn(value) {
  if (typeof value === "string") return readLines(value.split("\n")).boards;
  if (value === null || typeof value !== "object") return [];
  if (!Array.isArray(value)) {
    const named = Object.keys(value).find((name) => COLUMNS.includes(name.toLowerCase()));
    return named ? boardsIn(value[named]).slice(0, 1) : Object.values(value).flatMap(boardsIn);
  }
  const character = (cell) => (cell === null || cell === "" || cell === " " ? "." : typeof cell === "object" ? "<>" : String(cell));
  const cells = value.flatMap((row) => (Array.isArray(row) ? row : [row])).map(character).join("");
  const flat = value.every((row) => !Array.isArray(row)) || value.every((row) => Array.isArray(row) && row.length === value.length);
  return flat && isBoard(cells) ? [digits(cells)] : value.flatMap(boardsIn);
}

// --- CSV ---------------------------------------------------------------------------------------

function readCsv(lines) {
  const bare = (field) => field.trim().replace(/^"|"$/g, "").trim();
  const names = (line) => line.split(/[,;\t]/).map((field) => bare(field).toLowerCase());
  const at = lines.slice(0, 20).findIndex((line) => names(line).some((name) => COLUMNS.includes(name)));
  if (at < 0) return null;
  const separator = [",", ";", "\t"].reduce((best, s) => (lines[at].split(s).length > lines[at].split(best).length ? s : best));
  const place = names(lines[at]).findIndex((name) => COLUMNS.includes(name));
  const fields = lines.slice(at + 1).map((line) => bare(line.split(separator)[place] ?? "")).filter(Boolean);
  const boards = fields.map((field) => readLines([field]).boards).filter((found) => found.length === 1).flat();
  return boards.length || separator !== "," ? { boards, problem: "No row of this table holds a Sudoku in the column of puzzles." } : null;
}

// --- lines -------------------------------------------------------------------------------------

function readLines(lines) {
  const boards = [];
  let rows = [], problem = "", skipping = false;
  const close = () => {
    const found = assemble(rows);
    if (found) boards.push(...found);
    else problem ||= `A Sudoku with ${rows[0].length} cells in a row has ${rows[0].length} rows, but here ${rows.length === 1 ? "is" : "are"} ${rows.length}; add or remove some.`;
    rows = [];
  };
  lines.forEach((line, number) => {
    const section = line.trim().match(/^\[([^\W\d][\w ]*)\]$/);
    if (section && !holds(section[1])) { // "[State]" is somebody's work on a puzzle
      close();
      skipping = !/^(puzzle|sudoku|board|grid)/i.test(section[1]);
    } else if (!skipping) {
      const { board, row, title, strange } = readLine(line);
      if (board || title) close();
      if (board) boards.push(digits(board));
      if (row) rows.push(row);
      if (strange) problem ||= `${lines.length > 1 ? `Line ${number + 1}: ` : ""}${strange}`;
    }
  });
  close();
  return boards.length ? { boards, problem } : (wrapped(lines) ?? { boards, problem });
}

/** What a line is: a whole board, a row of one, a title, something strange, or nothing. */
function readLine(line) {
  const fields = onePerField(line);
  if (fields) return isRow(fields) ? { row: fields } : { board: fields };
  let text = line.split(/#(?!\d+\s*$)|\/\/|%/)[0].trim();
  const rule = text.replace(BETWEEN, "");
  if (!text || !rule || (/^[-+=|*_~\s]+$/.test(text) && !isRow(rule))) return {};
  if (/^[-+=*_~|\s]+$/.test(text) && new Set(rule).size > 1) return {};
  text = text.replace(/\+(?=[1-9])/g, ""); // a plus marks what was found since
  const parts = text.split(BETWEEN).filter(Boolean), together = parts.join("");
  if (new Set(parts.map((part) => part.length)).size === 1) {
    if (isRow(together)) return { row: together };
    if (isBoard(together)) return { board: together };
  }
  const inside = parts.filter(isBoard).sort((a, b) => b.length - a.length || /^\d+$/.test(a.replaceAll("0", ".")) - /^\d+$/.test(b.replaceAll("0", ".")));
  if (inside.length) return { board: inside[0] }; // a solution beside it has no blanks
  if (TITLE.test(text)) return { title: true };
  if (parts.some((part) => part.length === 729)) return { strange: "This looks like a Sukaku, which lists candidates; write one character per cell." };
  if (holds(together)) {
    if (parts.length > 3 && new Set(parts.map((part) => part.length)).size > 1)
      return { strange: "This looks like a grid of candidates; write one character per cell." };
    return { strange: `A Sudoku has 16, 36 or 81 cells, but this line has ${together.length}.` };
  }
  const place = [...line].findIndex((character) => !CELL.test(character) && character.replace(BETWEEN, ""));
  return { strange: `A Sudoku is written with '123456789' and for blanks '.0_*xX?-·', but position ${place + 1} holds '${[...line][place]}'.` };
}

/** The cells of a line with one in each field, where nothing is a blank; "" if it has not. */
function onePerField(line) {
  for (const separator of [",", ";", "\t", "|"]) {
    if (!line.includes(separator)) continue;
    const inner = separator === "\t" ? line : line.trim();
    const shorter = inner.endsWith(separator) ? inner.slice(0, -1) : inner;
    for (const text of [inner, shorter, shorter.startsWith(separator) ? shorter.slice(1) : shorter]) {
      const fields = text.split(separator).map((field) => field.replace(/^[\s"']+|[\s"']+$/g, "") || ".");
      if (fields.every((field) => field.length === 1) && (isRow(fields.join("")) || isBoard(fields.join("")))) return fields.join("");
    }
  }
  return "";
}

/** The boards of equally long rows; null if some are left over. */
function assemble(rows) {
  if (!rows.length) return [];
  const size = rows[0].length;
  const certain = rows.filter((row) => !/^([-_*])\1+$/.test(row)); // may as well be a rule
  const kept = rows.length % size || rows.some((row) => row.length !== size) ? certain : rows;
  if (!kept.length || kept.some((row) => row.length !== kept[0].length) || kept.length % kept[0].length) return null;
  return Array.from({ length: kept.length / kept[0].length }, (_, i) =>
    digits(kept.slice(i * kept[0].length, (i + 1) * kept[0].length).join("")));
}

/** A single board whose lines are no rows: 81 cells in three lines of 27, say. */
function wrapped(lines) {
  const parts = lines.flatMap((line) => line.split(BETWEEN)).filter(Boolean), together = parts.join("");
  return isBoard(together) && new Set(parts.map((part) => part.length)).size === 1 ? { boards: [digits(together)], problem: "" } : null;
}
