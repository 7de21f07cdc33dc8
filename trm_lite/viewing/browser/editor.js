// A board to type into. What is typed goes to Python; what it makes of it comes back as a whole.

import { claimKeys, make, makeGrid, place } from "./grid.js";

function render({ model, el }) {
  const columns = model.get("columns");
  let edits = model.get("heard");
  const field = (i) => make("input", "trm-digit", {
    type: "text", inputmode: "numeric", autocomplete: "off", spellcheck: "false",
    "aria-label": place(i, columns),
  });
  const { board, cells, stops } = makeGrid({
    columns, count: model.get("texts").length, boxes: model.get("boxes"),
    name: "your puzzle", field,
  });
  board.classList.add("trm-editor");
  board.addEventListener("focusin", (event) => event.target.select());
  board.addEventListener("input", (event) => {
    const input = event.target; // the last key counts: a second digit replaces the first
    input.value = (event.data || input.value).slice(-1).trim();
    input.select();
    model.send({ cell: stops.indexOf(input), text: input.value, edit: ++edits });
  });

  board.addEventListener("paste", (event) => {
    const text = event.clipboardData.getData("text").trim();
    if (text.length < 2) return; // a digit is typed
    event.preventDefault(); // a whole board, in whatever format, is read by Python
    model.send({ cell: stops.indexOf(event.target), text, edit: ++edits });
  });

  const draw = () => {
    if (model.get("heard") < edits) return; // an answer to an earlier edit: a newer one will come
    const texts = model.get("texts"), broken = model.get("broken");
    stops.forEach((input, i) => {
      if (input.value !== texts[i]) input.value = texts[i];
      input.setAttribute("aria-invalid", broken[i]);
      cells[i].classList.toggle("trm-clue", texts[i] !== "");
      for (const mark of ["trm-wrong", "trm-against"]) cells[i].classList.toggle(mark, broken[i]);
    });
  };
  draw();
  model.on("change", draw);
  const release = claimKeys(board);
  el.append(board);
  return () => (release(), model.off("change", draw));
}

export default { render };
