// Reads a network from a .safetensors file that `trm-lite train` wrote, or says why it cannot.

import { Network } from "./network.js";

/** Something that the person in front of the page can put right. */
export class Problem extends Error {}

const OTHER = "Choose a file such as best.safetensors from the folder of a run of trm-lite train.";
const KNOWN = [
  "puzzle", "vocab_size", "seq_len", "hidden_size", "num_heads", "expansion", "multiple_of", "mixing", "positions",
  "num_puzzles", "prefix_len", "puzzle_embedding_size", "num_layers", "T", "n", "gradient", "shared_net",
  "num_latents", "network", "kind", "loops", "H_layers", "L_layers",
];

/** The network in the bytes of a file. Throws a Problem if they hold none that thinks in steps. */
export function readNetwork(buffer) {
  const { header, start } = readHeader(buffer);
  const fields = readConfig(header.__metadata__);
  const file = { header, start, buffer };
  return new Network(...({ TRM: asTrm, HRM: asHrm, Direct: asDirect })[fields.network](fields, file));
}

function readHeader(buffer) {
  const damaged = new Problem(`This is not a complete .safetensors file. ${OTHER}`);
  if (buffer.byteLength < 10) throw damaged;
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  if (length > buffer.byteLength - 8) throw damaged;
  try {
    return { header: JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length))), start: 8 + length };
  } catch {
    throw damaged;
  }
}

function readConfig(metadata) {
  let fields;
  try {
    fields = JSON.parse(metadata.config);
  } catch {
    throw new Problem(`This file does not say which network it holds. ${OTHER}`);
  }
  fields.network ??= fields.kind ?? "TRM"; // older files
  if (fields.network === "Autoregressive")
    throw new Problem("This network writes its answer token by token, so it has no steps to show; choose a TRM, an HRM or direct prediction.");
  if (!["TRM", "HRM", "Direct"].includes(fields.network))
    throw new Problem(`This page does not know the network “${fields.network}”; choose a TRM, an HRM or direct prediction.`);
  const strange = Object.keys(fields).find((name) => !KNOWN.includes(name) && fields[name] && fields[name] !== "none");
  if (strange) throw new Problem(`This page does not know the setting “${strange}” of this network; choose another file.`);
  return fields;
}

/** The numbers called `name`, of this shape; half precision becomes single. */
function tensor({ header, start, buffer }, name, ...shape) {
  const entry = header[name];
  const broken = (why) => new Problem(`The weights in this file do not fit its description (${name} ${why}); copy it again, or train again.`);
  if (!entry) throw broken("is missing");
  if (String(entry.shape) !== String(shape)) throw broken(`is ${entry.shape.join("x")} instead of ${shape.join("x")}`);
  const [from, to] = entry.data_offsets, count = shape.reduce((a, b) => a * b, 1);
  const width = { F32: 4, F16: 2, BF16: 2 }[entry.dtype];
  if (!width) throw broken(`holds ${entry.dtype} numbers`);
  if (to - from !== count * width || start + to > buffer.byteLength) throw broken("is cut off");
  const bytes = buffer.slice(start + from, start + to); // aligned, and little-endian like all browsers
  if (entry.dtype === "F32") return new Float32Array(bytes);
  const decode = entry.dtype === "F16" ? halfToSingle : (bits) => bits * 65536;
  return new Float32Array(Uint32Array.from(new Uint16Array(bytes), decode).buffer);
}

/** The bits of a number in half precision, as the bits of the same number in single precision. */
function halfToSingle(bits) {
  const sign = (bits & 0x8000) << 16, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent) return (sign | ((exponent === 31 ? 255 : exponent + 112) << 23) | (fraction << 13)) >>> 0;
  const tiny = new Uint32Array(new Float32Array([fraction * 2 ** -24]).buffer); // subnormal, or zero
  return (sign | tiny[0]) >>> 0;
}

const innerWidth = (c, width) =>
  Math.ceil(Math.round((c.expansion * width * 2) / 3) / c.multiple_of) * c.multiple_of;

function readSwiglu(c, file, name, width) {
  const inner = innerWidth(c, width);
  return {
    gateUp: tensor(file, `${name}.gate_up.weight`, 2 * inner, width),
    down: tensor(file, `${name}.down.weight`, width, inner),
  };
}

function readStack(c, file, name, layers) {
  const D = c.hidden_size, L = c.prefix_len + c.seq_len, width = Math.floor(D / c.num_heads) * c.num_heads;
  return Array.from({ length: layers }, (_, i) => {
    const block = `${name}.blocks.${i}`, features = readSwiglu(c, file, `${block}.swiglu`, D);
    if (c.mixing === "mlp") return { ...features, mixer: readSwiglu(c, file, `${block}.mixer.swiglu`, L) };
    return {
      ...features,
      qkv: tensor(file, `${block}.mixer.qkv.weight`, 3 * width, D),
      out: tensor(file, `${block}.mixer.out.weight`, D, width),
      heads: c.num_heads, rotary: c.positions === "rotary",
    };
  });
}

/** What all networks have. `rest` says how a supervision step goes. */
function describe(c, rest) {
  const length = c.prefix_len + c.seq_len;
  return {
    name: c.network, puzzle: c.puzzle ?? "", vocabulary: c.vocab_size, cells: c.seq_len, puzzles: c.num_puzzles,
    D: c.hidden_size, prefix: c.prefix_len, length, seesQuestion: false, ...rest,
  };
}

function readParts(c, file, latents, stacks) {
  const D = c.hidden_size, V = c.vocab_size, rowSize = c.prefix_len ? (c.puzzle_embedding_size ?? D) : 0;
  const zInit = latents ? tensor(file, "z_init", ...(latents === 1 ? [D] : [latents, D])) : [];
  return {
    ...stacks, rowSize,
    table: rowSize ? tensor(file, "puzzle_embedding.table", c.num_puzzles, rowSize) : new Float32Array(0),
    embedding: tensor(file, "token_embedding.weight", V, D),
    positions: c.positions === "learned" ? tensor(file, "position_embedding.weight", c.prefix_len + c.seq_len, D) : null,
    head: tensor(file, "head.weight", V, D),
    haltWeight: tensor(file, "halt_head.weight", 2, D),
    haltBias: tensor(file, "halt_head.bias", 2),
    yInit: tensor(file, "y_init", D),
    zInit: Array.from({ length: latents }, (_, k) => zInit.slice(k * D, (k + 1) * D)),
  };
}

function asTrm(c, file) {
  const think = readStack(c, file, "net", c.num_layers);
  const answer = c.shared_net ? think : readStack(c, file, "answer_net", c.num_layers);
  return [describe(c, { T: c.T, n: c.n }), readParts(c, file, c.num_latents, { think, answer })];
}

function asHrm(c, file) {
  const think = readStack(c, file, "f_L", c.L_layers), answer = readStack(c, file, "f_H", c.H_layers);
  return [describe(c, { T: c.T, n: c.n }), readParts(c, file, 1, { think, answer })];
}

function asDirect(c, file) {
  const answer = readStack(c, file, "net", c.num_layers);
  return [describe(c, { T: c.loops, n: 0, seesQuestion: true }), readParts(c, file, 0, { think: answer, answer })];
}

/** How many trained parameters a network has; the table of puzzle embeddings is not counted. */
export function countParameters({ parts }) {
  const stacks = new Set([...parts.think, ...parts.answer]);
  const arrays = [...stacks].flatMap((block) => [block, block.mixer ?? {}]).flatMap(Object.values);
  return [...arrays, parts.embedding, parts.positions, parts.head, parts.haltWeight, parts.haltBias]
    .filter((part) => part instanceof Float32Array).reduce((sum, part) => sum + part.length, 0);
}
