// Runs the boards and films of the notebooks on a page: what Python holds there is held here.

/** Draw a widget module into `el`; returns its values, to be changed with `show`. */
export function panel({ render }, el, values, onSend = () => {}) {
  const listeners = new Set();
  const model = {
    get: (name) => values[name],
    set: (name, value) => (values[name] = value),
    save_changes: () => listeners.forEach((listener) => listener()),
    on: (_, listener) => listeners.add(listener),
    off: (_, listener) => listeners.delete(listener),
    send: onSend,
    show(changed) {
      Object.assign(values, changed);
      model.save_changes();
    },
  };
  el.replaceChildren();
  model.close = render({ model, el });
  return model;
}
