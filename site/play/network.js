// The networks of the course in plain JavaScript: what one supervision step computes.
//
// The same mathematics as `trm_lite/nets`, line by line, for a single puzzle.
// Sizes: L positions (the prefix included), D features of a position, V tokens, K latents.
// A matrix (rows, columns) is a flat Float32Array, row by row.
//
//     x = embed(puzzle)              the question, as vectors
//     z <- net(z + (y + x))          think: improve the latent, n times      } T times
//     y <- net(y + z)                answer: improve the answer, once        }
//     logits = head(y)               read the answer off y

/** h (rows, n) times the transpose of w (outs, n), the layout of PyTorch: (rows, outs). */
function linear(h, w, n) {
  const rows = h.length / n, outs = w.length / n;
  const result = new Float32Array(rows * outs);
  // Four rows by two outputs at a time: each number that is loaded serves several products.
  // At the edges the last row, or output, is computed again instead of one beyond.
  for (let r = 0; r < rows; r += 4) {
    const r1 = Math.min(r + 1, rows - 1), r2 = Math.min(r + 2, rows - 1), r3 = Math.min(r + 3, rows - 1);
    const a0 = r * n, a1 = r1 * n, a2 = r2 * n, a3 = r3 * n;
    for (let o = 0; o < outs; o += 2) {
      const p = Math.min(o + 1, outs - 1), b0 = o * n, b1 = p * n;
      let s00 = 0, s01 = 0, s10 = 0, s11 = 0, s20 = 0, s21 = 0, s30 = 0, s31 = 0;
      for (let i = 0; i < n; i++) {
        const w0 = w[b0 + i], w1 = w[b1 + i];
        const h0 = h[a0 + i], h1 = h[a1 + i], h2 = h[a2 + i], h3 = h[a3 + i];
        s00 += h0 * w0; s01 += h0 * w1; s10 += h1 * w0; s11 += h1 * w1;
        s20 += h2 * w0; s21 += h2 * w1; s30 += h3 * w0; s31 += h3 * w1;
      }
      result[r * outs + o] = s00; result[r * outs + p] = s01;
      result[r1 * outs + o] = s10; result[r1 * outs + p] = s11;
      result[r2 * outs + o] = s20; result[r2 * outs + p] = s21;
      result[r3 * outs + o] = s30; result[r3 * outs + p] = s31;
    }
  }
  return result;
}

const add = (a, b) => a.map((value, i) => value + b[i]);

/** Divide each row of h (rows, n) by its root mean square. There is no learned scale. */
function rmsNorm(h, n) {
  const result = new Float32Array(h.length);
  for (let start = 0; start < h.length; start += n) {
    let squares = 0;
    for (let i = start; i < start + n; i++) squares += h[i] * h[i];
    const scale = 1 / Math.sqrt(squares / n + 1e-5);
    for (let i = start; i < start + n; i++) result[i] = h[i] * scale;
  }
  return result;
}

/** (rows, columns) -> (columns, rows) */
function transpose(h, columns) {
  const rows = h.length / columns, result = new Float32Array(h.length);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) result[c * rows + r] = h[r * columns + c];
  return result;
}

/** A gated layer on each row: down(silu(gate) * up), (rows, n) -> (rows, n). */
function swiglu(h, n, { gateUp, down }) {
  const both = linear(h, gateUp, n); // (rows, 2 * inner)
  const inner = gateUp.length / n / 2, rows = h.length / n;
  const gated = new Float32Array(rows * inner);
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < inner; i++) {
      const gate = both[2 * r * inner + i], up = both[(2 * r + 1) * inner + i];
      gated[r * inner + i] = (gate / (1 + Math.exp(-gate))) * up;
    }
  }
  return linear(gated, down, inner);
}

/** Positions exchange information by a SwiGLU along the length, feature by feature. */
function mixTokens(h, D, { gateUp, down }) {
  const L = h.length / D, across = transpose(h, D); // (D, L)
  return transpose(rmsNorm(add(across, swiglu(across, L, { gateUp, down })), L), L); // (L, D)
}

/** Positions exchange information by attention: each asks all others, (L, D) -> (L, D). */
function attend(h, D, { qkv, out, heads, rotary }) {
  const L = h.length / D, size = Math.floor(D / heads), width = heads * size;
  const asked = linear(h, qkv, D); // (L, 3 * width): queries, keys, values
  const mixed = new Float32Array(L * width), weights = new Float64Array(L);
  if (rotary) rotate(asked, L, 2 * heads, size, 3 * width);
  for (let head = 0; head < heads; head++) {
    for (let i = 0; i < L; i++) {
      const query = i * 3 * width + head * size;
      let most = -Infinity, total = 0;
      for (let j = 0; j < L; j++) {
        const key = j * 3 * width + width + head * size;
        let match = 0;
        for (let f = 0; f < size; f++) match += asked[query + f] * asked[key + f];
        weights[j] = match / Math.sqrt(size);
        most = Math.max(most, weights[j]);
      }
      for (let j = 0; j < L; j++) total += weights[j] = Math.exp(weights[j] - most);
      for (let f = 0; f < size; f++) {
        let sum = 0;
        for (let j = 0; j < L; j++) sum += weights[j] * asked[j * 3 * width + 2 * width + head * size + f];
        mixed[i * width + head * size + f] = sum / total;
      }
    }
  }
  return rmsNorm(add(h, linear(mixed, out, width)), D);
}

/** Turn queries and keys by their positions, in place: feature i together with i + size / 2. */
function rotate(asked, L, groups, size, stride) {
  const half = size / 2;
  for (let position = 0; position < L; position++) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(position * Math.fround(10000 ** (-i / half)));
      const cos = Math.cos(angle), sin = Math.sin(angle);
      for (let group = 0; group < groups; group++) {
        const a = position * stride + group * size + i, b = a + half;
        [asked[a], asked[b]] = [asked[a] * cos - asked[b] * sin, asked[b] * cos + asked[a] * sin];
      }
    }
  }
}

/** `net(h)`, the network that recursion applies again and again: (L, D) -> (L, D). */
function apply(blocks, h, D) {
  for (const block of blocks) {
    h = block.qkv ? attend(h, D, block) : mixTokens(h, D, block.mixer);
    h = rmsNorm(add(h, swiglu(h, D, block)), D);
  }
  return h;
}

export class Network {
  /** `config` and `parts` (weights by their role) are those that `weights.js` reads from a file. */
  constructor(config, parts) {
    Object.assign(this, { config, parts });
  }

  /** The answer y (L, D) and the K latents z before the first step: the same at all positions. */
  start() {
    const { length: L, D } = this.config, { yInit, zInit } = this.parts;
    const spread = (vector) => Float32Array.from({ length: L * D }, (_, i) => vector[i % D]);
    return { y: spread(yInit), z: zInit.map(spread) };
  }

  /** The question as vectors: what is known of the puzzle, then its tokens, (L, D). */
  embed(tokens, puzzle = 0) {
    const { length: L, prefix: P, D } = this.config, { table, rowSize, embedding, positions } = this.parts;
    const x = new Float32Array(L * D);
    x.set(table.subarray(puzzle * rowSize, (puzzle + 1) * rowSize)); // the rest of the prefix is 0
    tokens.forEach((token, i) => x.set(embedding.subarray(token * D, (token + 1) * D), (P + i) * D));
    if (positions) for (let i = 0; i < x.length; i++) x[i] = Math.SQRT1_2 * (x[i] + positions[i]);
    return x.map((value) => value * Math.sqrt(D));
  }

  /** One supervision step: T full recursions, each of n latent updates and one answer update. */
  step(x, { y, z }) {
    const { T, n, D } = this.config, { think, answer } = this.parts;
    z = [...z];
    for (let t = 0; t < T; t++) {
      for (let i = 0; i < n; i++) {
        if (z.length) z[i % z.length] = apply(think, add(z.reduce(add), add(y, x)), D);
        else y = apply(think, add(y, x), D); // y is answer and latent at once
      }
      y = apply(answer, this.config.seesQuestion ? add(y, x) : z.reduce(add, y), D);
    }
    return { y, z };
  }

  /** The logits (cells, V) of the answer, and of "my whole answer is right". */
  read({ y }) {
    const { prefix: P, D } = this.config, { head, haltWeight, haltBias } = this.parts;
    return {
      logits: linear(y.subarray(P * D), head, D),
      halt: linear(y.subarray(0, D), haltWeight.subarray(0, D), D)[0] + haltBias[0],
    };
  }

  /** Overwrite y at one cell, so that the head answers `token` there: "what if it were?" */
  push({ y, z }, cell, token) {
    const { prefix: P, D } = this.config;
    const vote = this.parts.head.slice(token * D, (token + 1) * D), pushed = y.slice();
    const size = Math.sqrt(vote.reduce((sum, value) => sum + value * value, 0) / D);
    pushed.set(vote.map((value) => value / size), (P + cell) * D);
    return { y: pushed, z };
  }
}
