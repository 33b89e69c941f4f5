// A frame: named tensors of one text at one step. As bytes it is a safetensors file: 8 bytes that say how long the header is,
// the header (JSON: where each tensor stands, and under __metadata__ what the frame is about), then the raw numbers.
const KEPT = 240, // frames of a live run that are remembered by their statistics
  WHOLE = 24; // of these, so many newest ones with all their numbers

/** The value of each of the 65 536 float16 numbers (IEEE 754 binary16), made at the first use. */
const halves = { table: null };
function halfTable() {
  return (halves.table ||= Float32Array.from({ length: 65536 }, (_, bits) => {
    const sign = bits >> 15 ? -1 : 1,
      exponent = (bits >> 10) & 31,
      fraction = bits & 1023;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : fraction * 2 ** -24);
  }));
}

const DECODERS = {
  F16: (bytes) => {
    const table = halfTable();
    return Float32Array.from(new Uint16Array(bytes), (bits) => table[bits]);
  },
  F32: (bytes) => new Float32Array(bytes),
};

/** Base64 as an ArrayBuffer. */
const unpacked = (text) =>
  Uint8Array.fromBase64
    ? Uint8Array.fromBase64(text).buffer
    : Uint8Array.from(atob(text), (x) => x.charCodeAt(0)).buffer;

/**
 * Reads a frame, given as base64 or as an ArrayBuffer: { about, tensors: { name → { shape, data: Float32Array } } }.
 * A tensor is decoded when somebody first asks for its data. Throws an Error for bytes that are no frame.
 */
function readFrame(source) {
  const buffer = typeof source === "string" ? unpacked(source) : source;
  const size = Number(new DataView(buffer).getBigUint64(0, true));
  if (!(size <= buffer.byteLength - 8)) throw new Error("The header of a frame is longer than the frame.");
  const { __metadata__: notes, ...entries } = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, size)));
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets: place }] of Object.entries(entries))
    if (DECODERS[dtype])
      tensors[name] = lazyTensor(buffer, DECODERS[dtype], shape, 8 + size + place[0], 8 + size + place[1]);
  return { about: JSON.parse(notes.frame), tensors, stats: new Map(), shades: new Map() };
}

function lazyTensor(buffer, decode, shape, from, to) {
  return {
    shape,
    get data() {
      const value = decode(buffer.slice(from, to));
      Object.defineProperty(this, "data", { value });
      return value;
    },
  };
}

/** A key is the name of a tensor, and for one of its heads ":" and the number: "layers.0.attention.weights:2". */
function splitKey(key) {
  const at = key.lastIndexOf(":");
  return at < 0 ? [key, 0] : [key.slice(0, at), Number(key.slice(at + 1))];
}

/** The two-dimensional part of a tensor that a key names: { data, rows, columns, rank }, or null where it is not there. */
function sliceOf(frame, key) {
  const [name, head] = splitKey(key),
    tensor = frame.tensors[name];
  if (!tensor) return null;
  const { shape } = tensor,
    rank = shape.length,
    columns = rank ? shape[rank - 1] : 1,
    rows = rank > 1 ? shape[rank - 2] : 1,
    at = rank > 2 ? head * rows * columns : 0;
  if (at + rows * columns > tensor.data.length) return null;
  return { data: tensor.data.subarray(at, at + rows * columns), rows, columns, rank };
}

/** { mean, spread (standard deviation), norm, largest (magnitude) } of the finite numbers of a slice; kept with the frame. */
function statsOf(frame, key) {
  if (frame.stats.has(key)) return frame.stats.get(key);
  const slice = sliceOf(frame, key);
  let found = null;
  if (slice) {
    let sum = 0,
      squares = 0,
      largest = 0,
      count = 0;
    for (const value of slice.data) {
      if (!Number.isFinite(value)) continue;
      sum += value;
      squares += value * value;
      largest = Math.max(largest, Math.abs(value));
      count++;
    }
    const mean = count ? sum / count : 0;
    const spread = Math.sqrt(Math.max(0, (count ? squares / count : 0) - mean * mean));
    found = { mean, spread, norm: Math.sqrt(squares), largest };
  }
  frame.stats.set(key, found);
  return found;
}

/** The lengths (L2 norms) of the rows of a slice: of a residual stream [tokens, channels], one for each token. */
function normsOf(frame, key) {
  frame.norms ||= new Map();
  if (frame.norms.has(key)) return frame.norms.get(key);
  const slice = sliceOf(frame, key);
  const found =
    slice &&
    Float32Array.from({ length: slice.rows }, (_, row) =>
      Math.hypot(...slice.data.subarray(row * slice.columns, (row + 1) * slice.columns)),
    );
  frame.norms.set(key, found);
  return found;
}

/** All keys of a frame: of a tensor with heads one for each. */
const keysOf = (frame) =>
  Object.entries(frame.tensors).flatMap(([name, { shape }]) =>
    shape.length > 2 ? Array.from({ length: shape[0] }, (_, head) => `${name}:${head}`) : [name],
  );

/** Adds a live run's newest frame to those before; old ones are thinned, and keep their statistics alone. */
function remember(frames, frame) {
  const last = frames[frames.length - 1]?.about,
    { about } = frame;
  const goesOn =
    last &&
    last.kind === about.kind &&
    last.step <= about.step &&
    String(last.ids) === String(about.ids) &&
    String(last.source_ids) === String(about.source_ids);
  if (last && !goesOn) frames.length = 0;
  for (const key of keysOf(frame)) statsOf(frame, key);
  frames.push(frame);
  const old = frames[frames.length - 1 - WHOLE];
  if (old) Object.assign(old, { tensors: {}, shades: new Map(), norms: new Map() });
  if (frames.length <= KEPT) return;
  const half = frames.length >> 1;
  frames.splice(0, half, ...frames.slice(0, half).filter((_, index) => index % 2 === 0));
}
