// Thinks, and checks boards, beside the page, so that the page never waits.
// Each request has a number; the answer, progress and problems carry the same one.

import * as maze from "./maze.js";
import { Problem, countParameters, readNetwork } from "./weights.js";
import * as sudoku from "./sudoku.js";

const networks = new Map(); // by name
const thoughts = new Map(); // by number: the network, the question x, and the state after each step
const pause = () => new Promise((resolve) => setTimeout(resolve));

const TASKS = { open, think, check: ({ puzzle, board }) => ({ sudoku, maze })[puzzle].check(board) };

self.onmessage = async ({ data }) => {
  if (data.task === "stop")
    return thoughts.forEach((thought, number) => (thought.stopped ||= (data.thought ?? number) === number));
  try {
    const result = await TASKS[data.task](data, (step) => self.postMessage({ id: data.id, step }));
    self.postMessage({ id: data.id, result });
  } catch (error) {
    if (!(error instanceof Problem)) console.error(error);
    self.postMessage({ id: data.id, problem: error instanceof Problem ? error.message : `This should not happen: ${error.message}` });
  }
};

/** Open the network in `buffer`, or the one of the course that lies at `address`. */
async function open({ name, address, buffer }) {
  if (!networks.has(name)) networks.set(name, readNetwork(buffer ?? (await fetchWeights(address))));
  const network = networks.get(name);
  return { ...network.config, parameters: countParameters(network) };
}

/** Weights travel compressed, with the first bytes of all four-byte numbers first, and so on. */
async function fetchWeights(address) {
  let response;
  try {
    response = await fetch(address);
  } catch {
    throw new Problem("The weights could not be fetched; go online, and try again.");
  }
  if (!response.ok) throw new Problem(`The weights ${address} are not there (${response.status}); put the page together again.`);
  const stream = response.body.pipeThrough(new DecompressionStream("gzip"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer()), quarter = planes.length / 4;
  return Uint8Array.from(planes, (_, i) => planes[(i % 4) * quarter + (i >> 2)]).buffer;
}

/**
 * Think about `tokens` and tell every step. Thought number `thought` begins with noise in z, or
 * where thought `from` was after `after` steps; there, one cell can be pushed to another token.
 * It takes `steps` in all, or where it `halts`, as many as it wants: until it believes it is done.
 */
async function think({ thought, name, tokens, identifier, steps, noise, seed, from, after = 0, push, halts }, tell) {
  for (const old of thoughts.keys()) if (old < thought - 8) thoughts.delete(old);
  const network = networks.get(name), earlier = thoughts.get(from);
  const x = earlier?.x ?? network.embed(tokens, identifier);
  const states = earlier ? earlier.states.slice(0, after + 1) : [noisy(network.start(), noise, seed)];
  const me = { x, states };
  thoughts.set(thought, me);
  if (push) {
    states[after] = network.push(states[after], push.cell, push.token);
    if (after) tell({ number: after, ...network.read(states[after]), ...changes(states, after) });
  }
  for (let number = after + 1; number <= steps && !me.stopped; number++) {
    states.push(network.step(x, states[number - 1]));
    const said = network.read(states[number]);
    tell({ number, ...said, ...changes(states, number) });
    if (halts && said.halt > 0) break;
    await pause();
  }
  return !me.stopped;
}

/** How far y and z have moved in a step: the root mean square of the difference. */
function changes(states, number) {
  const [now, before] = [states[number], states[number - 1]];
  const squares = (a, b) => a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / a.length;
  const mean = now.z.reduce((sum, z, k) => sum + squares(z, before.z[k]), 0) / now.z.length;
  return { yChange: Math.sqrt(squares(now.y, before.y)), zChange: Math.sqrt(mean) };
}

/** Gaussian noise on z, the same for the same seed. */
function noisy({ y, z }, noise, seed = 0) {
  if (!noise) return { y, z };
  let state = seed + 1;
  const uniform = () => { // mulberry32
    let t = (state = (state + 0x6d2b79f5) | 0);
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { y, z: z.map((latent) => latent.map((value) => value + noise * normal())) };
}
