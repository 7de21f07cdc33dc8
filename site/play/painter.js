// A board to paint on: mazes and ARC grids. Click a cell, or move to it and press a paint's key.

import { make, makeGrid, place } from "./grid.js";

/** `paints` are [value, name, key]; `palette` has the colours of values, `text` says what they show. */
export function painter({ el, board, side, paints, palette: colours, text, canPaint, onPaint }) {
  const { board: grid, cells } = makeGrid({ columns: side, count: board.length, boxes: [], name: "your puzzle" });
  grid.classList.add("trm-editor", "trm-pickable", "trm-painted");
  const palette = make("div", "paints", { role: "radiogroup", "aria-label": "paint" });
  let chosen = paints[0][0];
  const choose = (value) => {
    chosen = value;
    for (const button of palette.children) button.setAttribute("aria-checked", button.value === String(value));
    for (const button of palette.children) button.tabIndex = button.value === String(value) ? 0 : -1;
  };
  for (const [value, name, key] of paints) {
    const button = make("button", "paint", { type: "button", role: "radio", value, title: `key: ${key === " " ? "space" : key}` });
    const sample = make("span", "trm-look", { "aria-hidden": "true" });
    sample.style.backgroundColor = colours[value];
    button.append(sample, name.length > 1 ? name : { S: "start", G: "goal" }[name]);
    if (name.length === 1) button.firstChild.textContent = name;
    button.addEventListener("click", () => choose(value));
    palette.append(button);
  }
  palette.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = paints.findIndex(([value]) => value === chosen), next = (at + step + paints.length) % paints.length;
    choose(paints[next][0]);
    palette.children[next].focus();
  });
  choose(chosen);

  const draw = () => cells.forEach((cell, i) => {
    const name = paints.find(([value]) => value === board[i])?.[1] ?? "outside";
    cell.style.backgroundColor = colours[board[i]];
    cell.textContent = text(board[i]);
    cell.setAttribute("aria-label", `${place(i, side)}: ${name}`);
  });
  const paint = (cell, value) => {
    if (cell < 0 || !canPaint(board[cell]) || board[cell] === value) return;
    if (text(value)) // S or G: there is one of each
      board = board.map((old) => (old === value ? paints[1][0] : old));
    board = board.map((old, i) => (i === cell ? value : old));
    draw();
    onPaint(board);
  };
  grid.addEventListener("click", (event) => paint(cells.indexOf(event.target.closest(".trm-look")), chosen));
  grid.addEventListener("pointerover", (event) => event.buttons === 1 && event.pointerType === "mouse" && paint(cells.indexOf(event.target), chosen));
  grid.addEventListener("keydown", (event) => {
    const found = paints.find(([, , key]) => key.toLowerCase() === event.key.toLowerCase());
    const value = event.key === "Enter" ? chosen : found?.[0];
    if (value === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    paint(cells.indexOf(event.target), value);
  });
  draw();
  el.replaceChildren(grid, palette);
}
