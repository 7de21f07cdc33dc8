// A thought as a film: the whole of it is here, so moving through it needs no kernel.

import { claimKeys, make, makeGrid, place } from "./grid.js";

const SPEEDS = { slow: 1000, normal: 450, fast: 150 }; // milliseconds per frame
const ICONS = { play: "M3 1v14l11-7z", pause: "M3 1h4v14H3zM9 1h4v14H9z", back: "M2 1h3v14H2zM14 1v14L5 8z" };

function setIcon(button, icon, name) {
  button.innerHTML = `<svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true"><path fill="currentColor" d="${ICONS[icon]}"/></svg>`;
  button.setAttribute("aria-label", name);
}

function makeFilm(model, moveTo) {
  const film = make("div", "trm-film", { role: "group", "aria-label": "film" });
  const play = make("button", "trm-play", { type: "button" });
  const back = make("button", "trm-back", { type: "button" });
  setIcon(back, "back", "back to the puzzle");
  const slider = make("input", "trm-slider", { type: "range", min: 0, "aria-label": "frame" });
  const count = make("span", "trm-count", { "aria-hidden": "true" });
  const speed = make("select", "trm-speed", { "aria-label": "speed" });
  for (const name of Object.keys(SPEEDS)) speed.add(new Option(name, name, false, name === "normal"));
  film.append(play, back, slider, count, speed);

  let timer = null;
  const last = () => model.get("frames");
  const stop = () => {
    clearTimeout(timer);
    timer = null;
    film.classList.remove("trm-playing");
    setIcon(play, "play", "play");
  };
  const tick = () => {
    if (model.get("frame") >= last()) return stop();
    moveTo(model.get("frame") + 1);
    timer = setTimeout(tick, SPEEDS[speed.value]);
  };
  play.addEventListener("click", () => {
    if (timer) return stop();
    film.classList.add("trm-playing");
    setIcon(play, "pause", "pause");
    if (model.get("frame") >= last()) moveTo(0);
    timer = setTimeout(tick, SPEEDS[speed.value]);
  });
  back.addEventListener("click", () => (stop(), moveTo(0)));
  slider.addEventListener("input", () => moveTo(Number(slider.value)));
  const draw = (frame) => {
    slider.max = last();
    slider.value = frame;
    count.textContent = frame ? `${frame} of ${last()}` : "puzzle";
    slider.setAttribute("aria-valuetext", count.textContent);
  };
  stop();
  return { film, draw, stop };
}

function makeRun(model, run, choose) {
  const columns = model.get("columns");
  const figure = make("figure", "trm-run"), title = make("figcaption", "trm-title");
  title.textContent = run.title;
  const { board, cells } = makeGrid({
    columns, count: run.texts[0].length, boxes: model.get("boxes"),
    name: `board of ${run.title || "the network"}`,
  });
  board.classList.toggle("trm-painted", run.paints.length > 0);
  figure.append(title, board);
  for (const cell of cells) cell.append(make("span", "trm-text"));
  if (model.get("pickable")) {
    board.classList.add("trm-pickable");
    board.addEventListener("click", (event) => {
      const at = cells.indexOf(event.target.closest(".trm-look"));
      if (at >= 0) choose(at);
    });
    board.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      choose(cells.indexOf(event.target));
    });
  }
  return { figure, cells, board };
}

function drawRun({ cells, board }, run, frame, model) {
  const at = Math.min(frame, run.texts.length - 1), chosen = model.get("chosen");
  const names = model.get("marks"), columns = model.get("columns"), palette = model.get("palette");
  board.dataset.frame = at;
  cells.forEach((cell, i) => {
    const there = names.filter((_, bit) => (run.marks[at][i] >> bit) & 1);
    const edges = ["trm-top", "trm-left"].filter((edge) => cell.classList.contains(edge));
    const looks = there.map(([name]) => `trm-${name}`);
    cell.style.backgroundColor = run.paints.length ? palette[run.paints[at][i]] : "";
    if (i === chosen) looks.push("trm-chosen");
    cell.className = ["trm-look", ...edges, ...looks].join(" ");
    cell.firstChild.textContent = run.texts[at][i];
    const words = [run.words?.[at][i] ?? (run.texts[at][i] || "blank"), ...there.map(([, meaning]) => meaning)];
    if (i === chosen) words.push("followed");
    cell.setAttribute("aria-label", `${place(i, columns)}: ${words.join(", ")}`);
  });
}

function makeLegend(entries) {
  const legend = make("ul", "trm-legend", { "aria-label": "what the marks mean" });
  for (const [classes, text, words, colour] of entries) {
    const item = make("li", ""), sample = make("span", `trm-look ${classes}`);
    if (!classes) sample.style.backgroundColor = colour;
    sample.setAttribute("aria-hidden", "true");
    sample.append(Object.assign(make("span", "trm-text"), { textContent: text }));
    item.append(sample, words);
    legend.append(item);
  }
  return legend;
}

function render({ model, el }) {
  const moveTo = (frame) => (model.set("frame", frame), model.save_changes());
  const { film, draw: drawFilm, stop } = makeFilm(model, moveTo);
  const captions = make("div", "trm-caption", { role: "status" });
  const stage = make("div", "trm-stage"), curves = make("div", "trm-curves");
  const boards = make("div", "trm-boards"), left = make("div", "trm-left-side");
  let shape = "", runs = [];

  const draw = () => {
    const said = model.get("runs"), frame = model.get("frame");
    const wanted = JSON.stringify([
      said.map((run) => [run.title, run.texts[0].length]), ...["columns", "boxes", "palette", "legend"].map((name) => model.get(name)),
    ]);
    if (wanted !== shape) {
      shape = wanted;
      runs = said.map((run) => makeRun(model, run, (cell) => model.send({ pick: cell })));
      boards.replaceChildren(...runs.map((run) => run.figure));
      left.replaceChildren(boards, makeLegend(model.get("legend")));
      stage.replaceChildren(left, curves);
      curves.dataset.drawn = "";
    }
    if (curves.dataset.drawn !== model.get("curves")) {
      curves.innerHTML = curves.dataset.drawn = model.get("curves");
    }
    runs.forEach((run, i) => drawRun(run, said[i], frame, model));
    drawFilm(frame);
    captions.setAttribute("aria-live", film.classList.contains("trm-playing") ? "off" : "polite");
    captions.replaceChildren(...said.map((run) => {
      const line = make("div", "");
      line.textContent = run.captions[Math.min(frame, run.captions.length - 1)];
      return line;
    }));
    const marker = curves.querySelector(".trm-marker"), svg = curves.querySelector("svg");
    if (!marker) return;
    marker.style.display = frame ? "" : "none";
    const { first, apart } = svg.dataset; // where frame 1 stands, and how far apart frames are
    marker.setAttribute("x", Number(first) + (frame - 1) * Number(apart) - marker.getAttribute("width") / 2);
  };
  draw();
  model.on("change", draw);
  const view = make("div", "trm-view");
  view.append(film, captions, stage);
  const release = claimKeys(view);
  el.append(view);
  return () => (stop(), release(), model.off("change", draw));
}

export default { render };
