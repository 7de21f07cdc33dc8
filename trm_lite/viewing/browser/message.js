// A line in which a panel says how it is; a screen reader reads it out when it changes.

function render({ model, el }) {
  const line = document.createElement("div");
  line.setAttribute("role", "status");
  const draw = () => {
    line.className = `trm-message trm-${model.get("tone")}`;
    line.textContent = model.get("text");
    if (!model.get("details")) return;
    const folded = document.createElement("details"), code = document.createElement("pre");
    folded.append(Object.assign(document.createElement("summary"), { textContent: "where" }), code);
    code.textContent = model.get("details");
    line.append(folded);
  };
  draw();
  model.on("change", draw);
  el.append(line);
  return () => model.off("change", draw);
}

export default { render };
