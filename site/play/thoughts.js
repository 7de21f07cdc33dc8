// What a thought looks like, step by step: the marks, words and curves of the film.
// A thought is {puzzle, side, board, solution, chances, boards, confidence, halt, yChange, zChange},
// where the last six hold one entry for each supervision step.

import { PUZZLES, likeliest } from "./puzzles.js";
import { PATH, OPEN, WALL } from "./maze.js";

export function newThought({ puzzle, side, board, solution, V }) {
  return { puzzle, side, board, solution, V, chances: [], boards: [], confidence: [], halt: [], yChange: [], zChange: [] };
}

/** Let a thought share the first `steps` steps of an earlier one. */
export function beginAs(thought, earlier, steps) {
  for (const part of ["chances", "boards", "confidence", "halt", "yChange", "zChange"])
    thought[part] = earlier[part].slice(0, Math.max(steps, 0));
}

/** Take in a step of the worker; `guise`, if there is one, is undone. */
export function addStep(thought, { number, logits, halt, yChange, zChange }, guise) {
  const { V } = thought, at = number - 1;
  const seen = softmax(logits, V), chances = guise ? guise.back(seen, V) : seen;
  const tokens = Array.from(thought.board, (_, cell) => likeliest(chances, cell, V));
  thought.chances[at] = chances;
  thought.boards[at] = PUZZLES[thought.puzzle].fromTokens(tokens);
  thought.confidence[at] = tokens.map((token, cell) => chances[cell * V + token]);
  thought.halt[at] = 1 / (1 + Math.exp(-halt));
  thought.yChange[at] = yChange;
  thought.zChange[at] = zChange;
}

function softmax(logits, V) {
  const chances = new Float32Array(logits.length);
  for (let start = 0; start < logits.length; start += V) {
    const scores = logits.subarray(start, start + V), most = Math.max(...scores);
    const powers = scores.map((score) => Math.exp(score - most)), total = powers.reduce((a, b) => a + b);
    chances.set(powers.map((power) => power / total), start);
  }
  return chances;
}

/** Which cells are wrong after step `at + 1`: if no solution is known, those that break a rule. */
function faults(thought, at) {
  const board = thought.boards[at];
  if (thought.solution) return board.map((value, cell) => value !== thought.solution[cell]);
  return PUZZLES[thought.puzzle].breaks(board, thought.board);
}

const count = (cells) => cells.filter(Boolean).length;

/** How a thought ended, as a sentence and its tone; where it `halts`, it may take fewer `steps`. */
export function conclusion(thought, { halts, steps }) {
  if (thought.puzzle === "arc" && !thought.solution) return ["This is its answer. Nobody knows whether it is right."];
  const last = thought.boards.length, wrong = count(faults(thought, last - 1)), sure = thought.halt[last - 1] > 0.5;
  const changes = thought.boards.map((now, at) => at && String(now) !== String(thought.boards[at - 1]));
  const settled = changes.findLastIndex(Boolean) + 1, length = last === 1 ? "one step" : `${last} steps`;
  if (!wrong) {
    const how = halts && last < steps ? `It stopped by itself after ${length}`
      : settled ? `It settled at step ${settled}` : "It wrote this in its first step";
    return [`${thought.solution ? "Solved." : "No rule is broken."} ${how}, and ${sure ? "believes that it is done" : "still doubts it"}.`, "good"];
  }
  const [is, breaks] = wrong === 1 ? ["cell is", "cell breaks"] : ["cells are", "cells break"];
  const cells = `${wrong} ${thought.solution ? `${is} wrong` : `${breaks} a rule`}`;
  const advice = thought.solution ? " Let it think on, or put another guise beside it." : "";
  return [`After ${length} ${cells}, and it ${sure ? "believes that it is done" : "knows that it is not done"}.${advice}`, "bad"];
}

/** What is to be said of every cell at every frame, as bits in the order of `names`. */
function marks(thought, other, names) {
  const kind = PUZZLES[thought.puzzle], { board } = thought, blank = thought.puzzle === "maze" ? OPEN : 0;
  const given = board.map((value) => value !== blank), clue = kind.palette ? [] : given;
  const bits = (seen) => board.map((_, cell) =>
    names.reduce((sum, [name], bit) => sum | (seen[name]?.[cell] ? 1 << bit : 0), 0));
  const frames = thought.boards.map((now, at) => {
    const beside = other?.boards[Math.min(at, other.boards.length - 1)], before = thought.boards[at - 1];
    const quarter = (q) => thought.confidence[at].map((sure, cell) => !given[cell] && Math.floor(4 * sure) === q);
    return bits({
      clue,
      wrong: thought.solution ? faults(thought, at) : [],
      against: kind.breaks(now, board),
      changed: before ? now.map((value, cell) => value !== before[cell]) : [],
      differs: beside ? now.map((value, cell) => value !== beside[cell]) : [],
      sure0: quarter(0), sure1: quarter(1), sure2: quarter(2),
    });
  });
  return [bits({ clue }), ...frames];
}

/** A thought as the film needs it, frame by frame; frame 0 is the puzzle. */
export function asRun(title, thought, other, cell, names) {
  const kind = PUZZLES[thought.puzzle], shown = [thought.board, ...thought.boards];
  const captions = shown.map((_, frame) => caption(thought, frame, cell));
  const texts = shown.map((board, frame) => {
    const crossed = kind.palette && frame ? faults(thought, frame - 1) : [];
    return board.map((value, i) => (crossed[i] ? "×" : kind.text(value)));
  });
  return {
    title, texts,
    words: shown.map((board) => board.map((value) => valueName(thought, value))),
    marks: marks(thought, other, names),
    paints: kind.palette ? shown : [],
    captions: captions.map((text) => (title ? `${title}: ${text}` : text)),
  };
}

const percent = (share) => `${Math.round(100 * share)} %`;

function caption(thought, frame, cell) {
  if (!frame) {
    const blanks = count(thought.board.map((value) => value === 0));
    return thought.puzzle === "sudoku" ? `the puzzle, ${blanks} blanks` : "the puzzle";
  }
  const at = frame - 1, wrong = count(faults(thought, at));
  const parts = [`step ${frame}: ${verdict(thought, wrong)}`, `believes it is done: ${percent(thought.halt[at])}`];
  if (cell !== null) {
    const value = thought.boards[at][cell], row = Math.floor(cell / thought.side) + 1, column = (cell % thought.side) + 1;
    const name = PUZZLES[thought.puzzle].text(value) || valueName(thought, value);
    parts.push(`row ${row}, column ${column}: ${name} with ${percent(thought.confidence[at][cell])}`);
  }
  return parts.join(" · ");
}

function verdict(thought, wrong) {
  if (thought.solution) return wrong ? `${wrong} wrong` : "solved";
  if (thought.puzzle === "arc") return "no answer known";
  return wrong ? `${wrong} break${wrong === 1 ? "s" : ""} a rule` : "no rule broken";
}

function valueName(thought, value) {
  if (thought.puzzle === "sudoku") return value ? String(value) : "blank";
  if (thought.puzzle === "maze") return ["wall", "open", "S", "G", "path"][value];
  return ["outside", "border"][value] ?? PUZZLES.arc.paints[value - 2][1];
}

/** What the marks mean: classes of a sample, its text, words and, where it is painted, its colour. */
export function legend({ puzzle, solution }, two) {
  const known = Boolean(solution), { palette } = PUZZLES[puzzle], crossed = known && ["trm-wrong trm-cross", "×", "wrong, or missing"];
  const entries = {
    sudoku: [["trm-clue", "5", "clue"], ["", "5", known ? "right" : "answer"], known && ["trm-wrong", "5", "wrong"],
      ["trm-against", "5", "breaks a rule"], ["trm-sure0", "5", "fainter: less sure"]],
    maze: [["", "", "wall", palette?.[WALL]], ["", "", "path", palette?.[PATH]], crossed, ["trm-against", "", "breaks a rule"]],
    arc: [crossed],
  }[puzzle];
  const all = [...entries, ["trm-changed", "", "just changed"], two && ["trm-differs", "", "boards differ"], ["trm-chosen", "", "followed"]];
  return all.filter(Boolean).map((entry) => (entry[3] ? entry : [...entry, "var(--trm-paper)"]));
}

// --- curves --------------------------------------------------------------------------------------

// In units of the drawing: its width, the span of the steps, a plot's height and the space below.
const WIDE = 490, LEFT = 70, END = 350, HIGH = 84, GAP = 22;
const PALETTE = ["#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#fbafe4", "#949494", "#b59f00", "#56b4e9"];

/** Wrong cells, change, belief, and the story of a cell, as SVG; `steps` are expected. */
export function curves(runs, steps, cell) {
  const [first] = runs, two = runs.length > 1;
  const each = (values, colour, more = {}) => runs.map(({ title, thought }, i) =>
    ({ values: values(thought), colour, label: two && more.named ? title : i ? "" : more.label, width: more.width ?? 1.5, dashed: i > 0 }));
  const wrong = (thought) => thought.boards.map((_, at) => count(faults(thought, at)));
  const plots = [
    { name: first.thought.solution ? "cells wrong" : "against a rule", scale: "count", lines: each(wrong, "wrong", { named: true }) },
    { name: "change", scale: "log", lines: [
      ...each((thought) => thought.yChange, "right", { label: "of y, the answer", width: 1.2 }),
      ...each((thought) => thought.zChange, "ink", { label: "of z, its notes", width: 2.4 })] },
    { name: "“I am done”", scale: "share", lines: each((thought) => thought.halt, "halt") },
  ];
  if (cell !== null) plots.push(story(first.thought, cell));
  const apart = (END - LEFT) / steps, tall = (HIGH + GAP) * plots.length + 28;
  const drawn = plots.map((plot, i) => drawPlot(plot, 8 + i * (HIGH + GAP), apart)).join("");
  const ticks = ticksBetween(1, steps, 8).map((n) => text(LEFT + (n - 0.5) * apart, tall - 24, n, "middle")).join("");
  return `<svg viewBox="0 0 ${WIDE} ${tall}" role="img" aria-label="Curves over the steps: ${plots.map((plot) => plot.name).join(", ")}" `
    + `data-first="${LEFT + apart / 2}" data-apart="${apart}" fill="var(--trm-ink)" font-family="system-ui, sans-serif" font-size="12">`
    + `<rect class="trm-marker" width="7" y="4" height="${tall - 40}" fill="var(--trm-changed)"/>${drawn}${ticks}`
    + `${text((LEFT + END) / 2, tall - 6, "supervision step", "middle")}</svg>`;
}

/** The chances of a cell's values through time; the right one is thick. */
function story(thought, cell) {
  const { V } = thought, isArc = thought.puzzle === "arc";
  const found = Array.from({ length: V }, (_, token) => ({ token, values: thought.chances.map((chances) => chances[cell * V + token]) }))
    .filter(({ token, values }) => (token || isArc) && Math.max(...values) > 0.02)
    .sort((a, b) => Math.max(...b.values) - Math.max(...a.values)).slice(0, 5);
  const lines = found.map(({ token, values }) => {
    const value = isArc ? token : token - 1, right = thought.solution?.[cell] === value, name = valueName(thought, value);
    return { values, colour: right ? "ink" : PALETTE[token % 10], width: right ? 3 : 1.5, label: right ? `${name} (right)` : name, peak: name };
  });
  return { name: `row ${Math.floor(cell / thought.side) + 1}, column ${(cell % thought.side) + 1}`, scale: "share", lines };
}

function drawPlot({ name, scale, lines }, top, apart) {
  const onScale = (value) => (scale === "log" ? Math.log10(value) : value);
  const finite = lines.flatMap(({ values }) => values.map(onScale)).filter(Number.isFinite);
  const most = Math.max(4, ...finite);
  const [low, high, places] = {
    share: () => [-0.05, 1.05, [[0, "0 %"], [0.5, "50 %"], [1, "100 %"]]],
    count: () => [-0.05 * most, 1.08 * most, ticksBetween(0, most, 4).map((n) => [n, n])],
    log: () => { const [a, b] = finite.length ? [Math.min(...finite) - 0.15, Math.max(...finite) + 0.15] : [-1, 0];
      return [a, b, ticksBetween(Math.ceil(a), b, 3).map((n) => [n, `10${[...String(n)].map((c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] ?? "⁻").join("")}`])]; },
  }[scale]();
  const y = (value) => top + (HIGH * (high - value)) / (high - low), middle = top + HIGH / 2;
  const paint = (colour) => (colour.startsWith("#") ? colour : `var(--trm-${colour})`);
  const grid = places.map(([value, label]) => `<path d="M${LEFT} ${y(value)}H${END}" stroke="var(--trm-clue)"/>${text(LEFT - 5, y(value) + 4, label, "end")}`);
  const drawn = lines.map(({ values, colour, width, dashed, peak }) => {
    const points = values.map((value, i) => [LEFT + (i + 0.5) * apart, y(onScale(value))]).filter(([, up]) => Number.isFinite(up));
    const highest = points.length && points.reduce((a, b) => (b[1] < a[1] ? b : a));
    const dot = points.length === 1 ? `<circle cx="${points[0][0]}" cy="${points[0][1]}" r="2" fill="${paint(colour)}"/>` : "";
    return `<polyline points="${points.map((point) => point.map((n) => n.toFixed(1))).join(" ")}" fill="none" stroke="${paint(colour)}" stroke-width="${width}"`
      + `${dashed ? ' stroke-dasharray="5 3"' : ""}/>${dot}${peak && Math.max(...values) > 0.1 ? text(highest[0], highest[1] - 3, peak, "middle") : ""}`;
  });
  const labels = lines.filter(({ label }) => label).map(({ colour, width, dashed, label }, i) =>
    `<path d="M${END + 6} ${top + 10 + 17 * i}h16" stroke="${paint(colour)}" stroke-width="${width}"${dashed ? ' stroke-dasharray="5 3"' : ""}/>`
    + text(END + 26, top + 14 + 17 * i, label));
  return `${grid.join("")}<path d="M${LEFT} ${top}V${top + HIGH}H${END}" stroke="var(--trm-ink)" fill="none"/>`
    + `<text transform="translate(14 ${middle}) rotate(-90)" text-anchor="middle">${name}</text>${drawn.join("")}${labels.join("")}`;
}

/** At most about `most` round numbers between two ends. */
function ticksBetween(low, high, most) {
  const apart = [1, 2, 5, 10, 20, 50, 100].find((step) => (high - low) / step <= most) ?? 200, ticks = [];
  for (let n = Math.ceil(low / apart) * apart; n <= high; n += apart) ticks.push(n);
  return ticks;
}

const escape = (words) => String(words).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

function text(across, up, words, anchor = "start") {
  return `<text x="${across.toFixed(1)}" y="${up.toFixed(1)}" text-anchor="${anchor}">${escape(words)}</text>`;
}
