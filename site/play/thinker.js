// The page's side of the workers: requests that are answered, and weights that are fetched once.

let numbers = 0;

/** A worker of its own; `ask` sends it a request, and tells the steps on the way to the answer. */
function makeWorker() {
  const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  const waiting = new Map();
  worker.onmessage = ({ data: { id, step, result, problem } }) => {
    const { resolve, reject, tell } = waiting.get(id);
    if (step) return tell(step);
    waiting.delete(id);
    if (problem) reject(new Error(problem));
    else resolve(result);
  };
  return {
    ask: (task, data, tell) => new Promise((resolve, reject) => {
      const id = ++numbers;
      waiting.set(id, { resolve, reject, tell });
      worker.postMessage({ ...data, id, task });
    }),
    stop: (thought) => worker.postMessage({ task: "stop", thought }), // that one, or all
  };
}

export const thinker = makeWorker(); // thinks
const checker = makeWorker(); // solves boards exactly meanwhile

export const check = (puzzle, board) => checker.ask("check", { puzzle, board });

const opened = new Map();

/** What is known of a network, once it is open; `source` is {address} or {buffer}. */
export function open(name, source) {
  if (!opened.has(name)) {
    const about = thinker.ask("open", { name, ...source });
    opened.set(name, about);
    about.catch(() => opened.delete(name)); // may be tried again
  }
  return opened.get(name);
}
