// The page: which board is on the desk, who thinks about it, and what is shown of that.

import { DESKS, HINTS, WRITTEN } from "./desks.js";
import editorWidget from "./editor.js";
import { own, openFile } from "./own.js";
import { painter } from "./painter.js";
import { panel } from "./panel.js";
import { PUZZLES, arcTokens } from "./puzzles.js";
import { drawTask } from "./tasks.js";
import { check, open, thinker } from "./thinker.js";
import filmWidget from "./thought.js";
import { addStep, asRun, beginAs, conclusion, curves, legend, newThought } from "./thoughts.js";

const $ = (id) => document.getElementById(id);
const weights = (name) => ({ address: new URL(`weights/${name}.gz`, import.meta.url).href });
const course = await (await fetch(new URL("course.json", import.meta.url))).json();
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const PACE = 350; // milliseconds that a step is seen at least

let desk, deskName; // the chosen one of DESKS
let board, task; // the puzzle, and of ARC the task that it belongs to
let checked = { solution: null }; // what is known of the board
let runs = []; // {title, thought, number, steps, done, guise}: the thought, and one beside it
let film, editor, cell = null, numbers = 0, edits = 0, files = 0, seed = 0, following = false, timer = null;
let turn = 0; // counts whatever makes work that is still under way worthless

// --- saying ------------------------------------------------------------------------------------

function say(text, tone = "neutral") {
  $("message").className = `trm-message trm-${tone}`;
  $("message").textContent = text;
}

/** `work` as a listener; what goes wrong is said in place. */
const guarded = (work) => async (...given) => {
  try {
    await work(...given);
  } catch (error) {
    say(error.message, "bad");
  }
};
const on = (id, event, work) => $(id).addEventListener(event, guarded(work));

// --- the desk and its board ----------------------------------------------------------------------

const kind = () => PUZZLES[desk.puzzle];
const grades = () => course.examples[deskName] ?? [];
const examples = () => grades().flatMap((grade) => grade.boards);

async function sitDownAt(name, asWritten) {
  [deskName, desk] = [name, DESKS[name]];
  for (const tab of $("desks").children) {
    tab.setAttribute("aria-checked", tab.value === name);
    tab.tabIndex = tab.value === name ? 0 : -1;
  }
  $("lead").textContent = desk.lead;
  fill($("example"), grades().map((grade, g) => [grade.name, grade.boards.map((_, b) => [`${g}.${b}`, `${grade.name} ${b + 1}`])]));
  $("example").prepend(Object.assign(new Option("your own", ""), { hidden: true, disabled: true }));
  fill($("network"), Object.entries(desk.networks));
  fill($("value"), kind().values(desk.side));
  offerBeside();
  $("written").textContent = WRITTEN[desk.puzzle];
  $("clear").hidden = desk.puzzle === "arc";
  offerText(false);
  if (asWritten === undefined) return takeExample();
  const written = fromLink(asWritten);
  await put(written.board ?? kind().blank(desk.side), written.task);
  if (written.problem) say(`The link holds no puzzle for this page. ${written.problem}`, "bad");
}

function offerText(open) {
  $("text-panel").hidden = !open;
  $("text").setAttribute("aria-expanded", open);
}

function fill(select, options) {
  select.replaceChildren(...options.map(([value, name]) => {
    if (!Array.isArray(name)) return new Option(name, value);
    const group = Object.assign(document.createElement("optgroup"), { label: value });
    group.append(...name.map(([v, words]) => new Option(words, v)));
    return group;
  }));
  select.parentElement.hidden = !options.length;
}

function offerBeside() {
  const others = Object.entries(desk.networks).filter(([name]) => name !== $("network").value);
  fill($("beside"), [["", "nothing"], ...others, [desk.puzzle === "sudoku" ? "guise" : "turn", "another guise"],
    ["noise", "a noisy start"], ["force", "what if …"]]);
  chooseBeside();
}

/** Show an example: the chosen one, or the first of the desk's favourite grade. */
function takeExample(which = `${Math.min(desk.grade, grades().length - 1)}.0`) {
  $("another").hidden = !grades().length;
  if (!grades().length) return put(kind().blank(desk.side));
  const [grade, number] = which.split(".").map(Number), example = grades()[grade].boards[number];
  const shown = desk.puzzle === "arc" ? put(arcTokens(example.question, desk.side), example) : put(kind().read(example, desk.side).board);
  $("example").value = which;
  return shown;
}

/** Put a board on the desk, to be changed or thought about. */
function put(newBoard, newTask = null) {
  stop();
  [board, task, cell] = [newBoard, newTask, null];
  $("example").value = "";
  return edit();
}

function edit() {
  stop();
  runs = [];
  delete document.body.dataset.thinking;
  $("editor").hidden = $("how").hidden = $("think").hidden = false;
  $("view").hidden = $("edit").hidden = $("more").hidden = true;
  $("think").className = "main";
  $("shown").hidden = !task;
  if (task) drawTask($("shown"), task);
  if (desk.puzzle === "sudoku") {
    editor = panel(editorWidget, $("editor"), {
      columns: desk.side, boxes: kind().boxes(desk.side), texts: [], broken: [], heard: edits,
      texts: board.map(kind().text), broken: board.map(() => false),
    }, guarded(typed));
  } else {
    painter({
      el: $("editor"), board, side: desk.side, paints: kind().paints, palette: kind().palette, text: kind().text,
      canPaint: (value) => desk.puzzle === "maze" || value > 1, onPaint: guarded(changed),
    });
  }
  return changed(board);
}

async function changed(newBoard) {
  board = newBoard;
  history.replaceState(null, "", `#${asLink()}`);
  if (desk.puzzle === "sudoku") editor.show({ texts: board.map(kind().text), broken: kind().breaks(board, board) });
  checked = { solution: null };
  const asked = board, found = await look();
  if (asked !== board) return; // it has changed meanwhile
  checked = found;
  if (!runs.length) say(found.text, found.tone ?? (found.proper ? "good" : "bad"));
}

/** What is known of the board: its solution, and a sentence. */
async function look() {
  if (desk.puzzle === "sudoku" && !board.some(Boolean))
    return { solution: null, tone: "neutral", text: "Tap or click a cell and type a digit, cell by cell; or paste a whole puzzle into any cell." };
  if (desk.puzzle !== "arc") return check(desk.puzzle, board);
  const same = task && String(arcTokens(task.question, desk.side)) === String(board);
  const text = same ? `Task ${task.task}. The network has never seen this question.` : "Your own question; nobody knows the answer.";
  return { solution: same ? arcTokens(task.answer, desk.side) : null, proper: true, text };
}

/** A digit was typed into a cell of a Sudoku. */
async function typed({ cell: at, text, edit: number }) {
  if (text.length > 1) return take(text);
  edits = number;
  editor.set("heard", number);
  const digit = ["", ".", "0"].includes(text) ? 0 : Number(text);
  if (!Number.isInteger(digit) || digit < 0 || digit > desk.side) {
    editor.show({ texts: board.map((value, i) => (i === at ? text : kind().text(value))) });
    return say(`Row ${Math.floor(at / desk.side) + 1} column ${(at % desk.side) + 1} holds “${text}”; type a digit from 1 to ${desk.side}, or nothing.`, "bad");
  }
  await changed(board.map((value, i) => (i === at ? digit : value)));
}

/** A board was pasted, in whatever format. */
async function take(text) {
  const { board: read, problem, note } = kind().read(text, desk.side);
  if (problem) throw new Error(problem);
  if (read.length !== desk.side ** 2) {
    const other = Object.keys(DESKS).find((name) => DESKS[name].puzzle === desk.puzzle && DESKS[name].side ** 2 === read.length);
    const side = Math.sqrt(read.length);
    if (!other) throw new Error(`No network here reads a Sudoku of ${side}x${side}; open weights of your own that do.`);
    await sitDownAt(other, kind().write(read));
  } else await put(read, task);
  offerText(false);
  if (note) $("hint").textContent = note;
}

// --- links -----------------------------------------------------------------------------------------

const asLink = () => [deskName, ...(task ? [examples().indexOf(task)] : []), encodeURIComponent(kind().write(board))].join(":");

/** The board, and of ARC the task, that the end of a link tells; or what is wrong with it. */
function fromLink(written) {
  if (desk.puzzle === "arc") {
    const [number, hex = ""] = written.split(":"), known = examples()[Number(number)] ?? examples()[0];
    const fits = /^[0-9a-b]{36}$/.test(hex);
    return { board: fits ? [...hex].map((c) => parseInt(c, 16)) : arcTokens(known.question, desk.side), task: known };
  }
  const found = kind().read(written, desk.side);
  return found.problem || found.board.length === desk.side ** 2 ? found : { problem: "Its board has another size." };
}

function followLink() {
  const [, name, rest] = location.hash.match(/^#([a-z]+-\d+):(.*)$/) ?? [];
  if (!DESKS[name]) return sitDownAt("sudoku-6");
  try {
    return sitDownAt(name, decodeURIComponent(rest));
  } catch { // a percent sign that stands for nothing
    return sitDownAt(name);
  }
}

// --- thinking --------------------------------------------------------------------------------------

function stop() {
  turn++;
  thinker.stop();
  clearInterval(timer);
  timer = null;
  following = false;
}

/** Who thinks about the board, and who beside it. */
async function think() {
  stop();
  const mine = turn, found = await look();
  if (mine !== turn) return;
  checked = found;
  runs = [];
  if (await start($("network").value, { title: "" })) await startBeside();
}

/** A new run of a network; `more` may hold a guise, noise, or the run that it begins in. */
async function start(name, { title, guise, place: at = runs.length, ...more }) {
  say("Fetching the network …");
  const mine = turn, about = await open(name, own[name] ?? weights(name));
  if (mine !== turn) return null;
  say("It thinks …");
  const thought = newThought({ ...desk, board, solution: checked.solution, V: about.vocabulary });
  if (more.from) beginAs(thought, runs[0].thought, more.after - 1); // the step itself is read anew
  const run = { title, name, thought, number: ++numbers, steps: Math.max(desk.steps, runs[0]?.steps ?? 0), done: false, guise };
  runs[at] = run;
  runs.length = at + 1;
  const tokens = kind().toTokens(board);
  advance(run, {
    tokens: guise ? guise.see(tokens) : tokens, identifier: guise?.identifier ?? task?.first ?? 0,
    halts: desk.halts, ...more,
  });
  return run;
}

/** Let a run go on, and take in its steps. */
async function advance(run, request) {
  const tell = (step) => {
    addStep(run.thought, step, run.guise);
    if (runs.includes(run)) showFilm();
  };
  run.done = false;
  await guarded(async () => {
    run.done = await thinker.ask("think", { thought: run.number, name: run.name, steps: run.steps, ...request }, tell);
  })();
  if (runs.includes(run)) showFilm();
}

async function startBeside() {
  const choice = $("beside").value, [first, second] = runs;
  turn++;
  if (second) thinker.stop(second.number);
  first.title = "";
  runs.length = 1;
  if (!choice || choice === "force") return showFilm(); // what if: not before a cell is chosen
  first.title = choice in desk.networks ? desk.networks[first.name] : "as it is";
  if (choice in desk.networks) await start(choice, { title: desk.networks[choice], place: 1 });
  if (choice === "noise") {
    if (desk.networks[first.name] === "direct prediction") throw new Error("Direct prediction has no notes z that could be noisy; choose another network.");
    await start(first.name, { title: `noise ${$("noise").value}`, place: 1, noise: Number($("noise").value), seed: ++seed });
  }
  if (choice === "guise" || choice === "turn") {
    const guise = kind().guise(board, task);
    $("hint").textContent = `It sees ${guise.words}. The answer is shown translated back.`;
    await start(first.name, { title: "in another guise", place: 1, guise });
  }
  follow(0);
}

/** Overwrite the chosen cell after the step that is shown, and let the thought go on from there. */
async function force() {
  const [first] = runs, after = Math.min(film?.get("frame") ?? 0, first?.thought.boards.length ?? 0);
  if (!first) throw new Error("Press “Think” first; then choose a cell, a step and a value.");
  if (cell === null) throw new Error("Choose the cell to overwrite: tap or click it, or press Enter on it.");
  const value = Number($("value").value), push = { cell, token: kind().toTokens([value])[0] };
  turn++;
  first.title = "as it was";
  await start(first.name, { title: `what if ${$("value").selectedOptions[0].text}`, place: 1, from: first.number, after, push });
  follow(after);
}

async function thinkOn() {
  stop();
  const known = film.get("frame");
  for (const run of runs) {
    const from = run.number, after = run.thought.boards.length;
    Object.assign(run, { number: ++numbers, steps: after + desk.steps });
    advance(run, { from, after });
  }
  follow(known);
}

// --- showing -----------------------------------------------------------------------------------------

/** Play the film from a frame on, as the steps come in, until somebody takes over. */
function follow(frame) {
  following = true;
  clearInterval(timer);
  film?.show({ frame });
  timer = setInterval(() => {
    const last = film?.get("frames"), frame = film?.get("frame");
    if (following && frame < last) film.show({ frame: calm.matches ? last : frame + 1 });
    else if (runs.every((run) => run.done)) {
      clearInterval(timer);
      say(...conclusion(runs[0].thought, desk));
    }
  }, PACE);
}

function showFilm() {
  if (!runs.length) return;
  const names = course.marks, [first, second] = runs;
  const frames = Math.max(...runs.map((run) => run.thought.boards.length));
  const values = {
    palette: kind().palette ?? [], columns: desk.side, boxes: kind().boxes(desk.side), marks: names, pickable: true,
    legend: legend(first.thought, Boolean(second)), frames, chosen: cell ?? -1,
    runs: runs.map((run, i) => asRun(run.title, run.thought, runs[1 - i]?.thought, cell, names)),
    curves: curves(runs, Math.max(...runs.map((run) => run.steps)), cell),
  };
  if ($("view").hidden) {
    film = panel(filmWidget, $("view"), { ...values, frame: 0 }, ({ pick }) => choose(pick));
    document.body.dataset.thinking = "";
    $("view").hidden = $("edit").hidden = false;
    $("editor").hidden = $("how").hidden = true;
    $("think").className = "";
    follow(0);
  } else film.show(values);
  $("more").hidden = !runs.every((run) => run.done);
}

/** Follow one cell through time; the same one again: none. */
function choose(picked) {
  cell = picked === cell ? null : picked;
  const side = desk.side;
  $("force-cell").textContent = cell === null ? "none yet" : `${Math.floor(cell / side) + 1}, ${(cell % side) + 1}`;
  showFilm();
}

function chooseBeside() {
  const choice = $("beside").value;
  $("again").hidden = !["guise", "turn", "noise"].includes(choice);
  $("noise-label").hidden = choice !== "noise";
  $("force").hidden = choice !== "force";
  $("hint").textContent = HINTS[choice] ?? HINTS.network;
}

// --- listening ---------------------------------------------------------------------------------------

function makeTabs() {
  $("desks").replaceChildren(...Object.entries(DESKS).map(([name, { tab }]) =>
    Object.assign(document.createElement("button"), { type: "button", role: "radio", value: name, textContent: tab })));
}

function keysInTabs(event) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key], names = Object.keys(DESKS);
  if (!step) return;
  event.preventDefault();
  const next = names[(names.indexOf(deskName) + step + names.length) % names.length];
  $("desks").querySelector(`[value="${next}"]`).focus();
  return sitDownAt(next);
}

/** Open a weights file of one's own, and put a desk there for it if there is none. */
async function openOwn() {
  const [file] = $("file").files;
  if (!file) return;
  $("file").value = "";
  const name = `${file.name} (yours ${++files})`; // the same file may have new weights in it
  const { deskName: fits, desk: made, about } = await openFile(name, file, DESKS);
  if (made) DESKS[fits] = made;
  DESKS[fits].networks[name] = name;
  makeTabs();
  await sitDownAt(fits, fits === deskName ? decodeURIComponent(asLink().split(":").slice(1).join(":")) : undefined);
  $("network").value = name;
  offerBeside();
  say(`${file.name} is open: ${about.name}, ${about.parameters.toLocaleString("en")} parameters. Press “Think”.`, "good");
}

on("desks", "click", ({ target }) => target.value && sitDownAt(target.value));
on("desks", "keydown", keysInTabs);
on("example", "change", () => takeExample($("example").value));
on("another", "click", () => {
  const [, ...options] = [...$("example").options].map((option) => option.value);
  takeExample(options[(options.indexOf($("example").value) + 1) % options.length]);
});
on("clear", "click", () => put(kind().blank(desk.side)));
on("text", "click", () => {
  offerText($("text-panel").hidden);
  if (!$("text-panel").hidden) $("pasted").focus();
});
on("read", "click", async () => {
  await take($("pasted").value);
  $("think").focus(); // what is likely to come next; the panel has closed
});
on("think", "click", think);
on("edit", "click", edit);
on("more", "click", thinkOn);
on("network", "change", () => (offerBeside(), runs.length && think()));
on("beside", "change", () => (chooseBeside(), runs.length && startBeside()));
on("again", "click", () => (runs.length ? startBeside() : think()));
on("noise", "input", () => ($("noise-value").textContent = $("noise").value));
on("noise", "change", () => runs.length && startBeside());
on("put", "click", force);
on("file", "change", openOwn);
on("link", "click", async () => {
  const copied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false); // may be forbidden
  const done = copied ? "The link is copied." : "Copy the address of this page from the address bar.";
  say(`${done} Whoever opens it finds this board.`, "good");
});
for (const event of ["click", "input"])
  $("view").addEventListener(event, ({ target }) => target.closest(".trm-film") && (following = false));
window.addEventListener("hashchange", guarded(followLink));

makeTabs();
await guarded(followLink)();
// Everything is fetched while the reader reads, so that the page needs no network afterwards.
if (!navigator.connection?.saveData)
  for (const { networks } of Object.values(DESKS)) for (const name of Object.keys(networks)) await open(name, weights(name)).catch(() => {});
document.body.dataset.ready = "";
