// What the boards share: a grid of cells with a single Tab stop, in which arrow keys move.

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

export function make(tag, className, attributes = {}) {
  const node = document.createElement(tag);
  node.className = className;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

/** Keeps plain keys from JupyterLab, which would cut or move notebook cells on some of them. */
export function claimKeys(root) {
  const claim = ({ target, ctrlKey, altKey, metaKey }) => {
    if (root.contains(target))
      target.toggleAttribute("data-lm-suppress-shortcuts", !(ctrlKey || altKey || metaKey));
  };
  window.addEventListener("keydown", claim, true); // comes before JupyterLab's own listener
  return () => window.removeEventListener("keydown", claim, true);
}

/**
 * A board of `count` cells. `boxes` is [rows, columns] of a box, or empty.
 * `field(i)` makes what takes the focus in a cell; without it that is the cell itself.
 */
export function makeGrid({ columns, count, boxes, name, field }) {
  const board = make("div", "trm-board", { role: "grid", "aria-label": name });
  board.style.setProperty("--n", columns);
  board.style.setProperty("--cell", `${Math.max(15, Math.min(34, 540 / columns))}px`);
  const cells = [], stops = [];
  for (let i = 0; i < count; i++) {
    const [row, column] = [Math.floor(i / columns), i % columns];
    if (!column) board.append(make("div", "trm-row", { role: "row" }));
    const cell = make("div", "trm-look", { role: "gridcell" });
    const stop = field ? field(i) : cell;
    if (field) cell.append(stop);
    stop.tabIndex = i ? -1 : 0;
    if (boxes.length && row && row % boxes[0] === 0) cell.classList.add("trm-top");
    if (boxes.length && column && column % boxes[1] === 0) cell.classList.add("trm-left");
    board.lastChild.append(cell);
    cells.push(cell);
    stops.push(stop);
  }
  board.addEventListener("focusin", (event) => {
    for (const stop of stops) stop.tabIndex = stop === event.target ? 0 : -1;
  });
  board.addEventListener("keydown", (event) => {
    const here = stops.indexOf(event.target), whole = event.ctrlKey || event.metaKey;
    let [row, column] = [Math.floor(here / columns), here % columns];
    const last = Math.floor((count - 1) / columns);
    if (event.key in MOVES && !whole && !event.altKey) {
      const [down, right] = MOVES[event.key];
      row = Math.min(Math.max(row + down, 0), last);
      column = Math.min(Math.max(column + right, 0), columns - 1);
    } else if (event.key === "Home" || event.key === "End") {
      const start = event.key === "Home";
      column = start ? 0 : columns - 1;
      if (whole) row = start ? 0 : last;
    } else return;
    event.preventDefault();
    stops[row * columns + column].focus();
  });
  return { board, cells, stops };
}

export function place(cell, columns) {
  return `row ${Math.floor(cell / columns) + 1}, column ${(cell % columns) + 1}`;
}
