// Small maps: a canvas with one pixel for each number, or for a few of them the largest, which the browser enlarges.
const MOST_PIXELS = 1024;

/** The scale of some tensors over some frames: from 0 to 1, or as far to both sides of 0 as the largest magnitude goes. */
class Scales {
  constructor(frames, rounds) {
    this.frames = frames; // those over which a scale holds
    this.rounds = rounds; // up to 1, 2 or 5 times a power of ten, so that a scale of one frame alone rarely changes
    this.known = new Map();
  }

  top(largest) {
    if (!largest || !this.rounds) return largest || 1;
    const power = 10 ** Math.floor(Math.log10(largest));
    return [1, 2, 5, 10].find((m) => m * power >= largest * 0.9999) * power;
  }

  /** { low, high, signed } of a group of tensors (`scaleName`), or of one slice alone. */
  of(key, alone = false) {
    const [name] = splitKey(key),
      id = alone ? key : scaleName(name);
    if (this.known.has(id)) return this.known.get(id);
    const { frames } = this;
    const found =
      SHARES.test(name) && frames[0]?.about.kind === "values"
        ? { low: 0, high: 1, signed: false }
        : this.signed(frames, id, alone);
    this.known.set(id, found);
    return found;
  }

  /** Full colour where all but the largest half percent of the numbers have less: a few huge ones leave the others seen. */
  signed(frames, id, alone) {
    let largest = 0,
      usual = 0;
    for (const frame of frames)
      for (const key of alone ? [id] : keysOf(frame).filter((each) => scaleName(splitKey(each)[0]) === id)) {
        largest = Math.max(largest, statsOf(frame, key)?.largest ?? 0);
        usual = Math.max(usual, usualOf(frame, key));
      }
    const high = this.top(usual || largest);
    return { low: -high, high, signed: true, largest };
  }

  /** The longest vector of a token, in all layers. */
  norms(key) {
    const id = `| ${scaleName(key)}`;
    if (this.known.has(id)) return this.known.get(id);
    let high = 0;
    for (const frame of this.frames)
      for (const name of Object.keys(frame.tensors))
        if (scaleName(name) === scaleName(key)) high = Math.max(high, ...normsOf(frame, name));
    this.known.set(id, { low: 0, high: this.top(high), signed: false, largest: high });
    return this.known.get(id);
  }
}

/** The magnitude that 99.5 % of the numbers of a slice stay below, of 2000 numbers evenly spread over it. */
function usualOf(frame, key) {
  const slice = sliceOf(frame, key);
  if (!slice) return 0;
  const every = Math.max(1, Math.floor(slice.data.length / 2000)),
    some = [];
  for (let i = 0; i < slice.data.length; i += every)
    if (Number.isFinite(slice.data[i])) some.push(Math.abs(slice.data[i]));
  const sorted = Float32Array.from(some).sort();
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.995))] : 0;
}

/** The numbers of a slice as shades from 1 to 255 on a scale (0: no value), no more than so many wide and high. */
function shadesOf(frame, key, scale, wide, high, turned) {
  const id = `${key} ${wide} ${high} ${scale.low} ${scale.high} ${turned}`;
  if (frame.shades.has(id)) return frame.shades.get(id);
  const slice = sliceOf(frame, key);
  if (!slice) return null;
  const [rows, columns] = turned ? [slice.columns, slice.rows] : [slice.rows, slice.columns],
    w = Math.min(columns, wide),
    h = Math.min(rows, high),
    values = new Float32Array(w * h).fill(NaN);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) {
      const value = turned ? slice.data[c * rows + r] : slice.data[r * columns + c],
        at = Math.floor((r * h) / rows) * w + Math.floor((c * w) / columns);
      if (Number.isFinite(value) && !(Math.abs(value) <= Math.abs(values[at]))) values[at] = value;
    }
  const shades = new Uint8Array(w * h),
    steps = 254 / (scale.high - scale.low);
  for (let i = 0; i < shades.length; i++)
    if (!Number.isNaN(values[i]))
      shades[i] = 1 + Math.round(Math.max(0, Math.min(254, (values[i] - scale.low) * steps)));
  const found = { shades, w, h };
  frame.shades.set(id, found);
  return found;
}

/** 256 colours for canvas pixels, of which number 0 is clear: { signed, shares } of this ground. */
function coloursOn(ground, scales) {
  const table = (scale) =>
    new Uint32Array(
      new Uint8Array([0, 0, 0, 0, ...ramp(onGround(scale, ground), 255).flatMap(([r, g, b]) => [r, g, b, 255])]).buffer,
    );
  return { signed: table(scales.signed), shares: table(scales.shares) };
}

/** Paints what stands in one frame, or between two of them in mixed colours, if it is not painted already. */
function paintMap(canvas, now, key, scale, colours, wide, high, turned) {
  const table = scale.signed ? colours.signed : colours.shares,
    a = shadesOf(now.frame, key, scale, wide, high, turned);
  let b = now.mix ? shadesOf(now.next, key, scale, wide, high, turned) : null;
  if (b && (!a || b.w !== a.w || b.h !== a.h)) b = null;
  const part = b ? Math.round(now.mix * 64) / 64 : 0;
  const { painted } = canvas;
  if (painted && painted.a === a && painted.b === b && painted.part === part && painted.table === table) return false;
  canvas.painted = { a, b, part, table };
  if (!a) {
    canvas.width = canvas.width * 1;
    return true;
  }
  if (canvas.width !== a.w || canvas.height !== a.h || !canvas.cells) {
    canvas.width = a.w;
    canvas.height = a.h;
    canvas.picture = new ImageData(a.w, a.h);
    canvas.cells = new Uint32Array(canvas.picture.data.buffer);
  }
  const { cells } = canvas,
    from = a.shades;
  if (!b) for (let i = 0; i < cells.length; i++) cells[i] = table[from[i]];
  else {
    const to = b.shades;
    for (let i = 0; i < cells.length; i++)
      cells[i] = table[from[i] && to[i] ? (from[i] + (to[i] - from[i]) * part + 0.5) | 0 : from[i]];
  }
  canvas.getContext("2d").putImageData(canvas.picture, 0, 0);
  return true;
}

/** A bar for each token, as long as its vector. Lengths are a step's own, never between two. */
function paintNorms(canvas, frame, key, scale, colour) {
  const norms = normsOf(frame, key),
    width = canvas.clientWidth,
    height = canvas.clientHeight;
  if (!norms || !width) return false;
  const { painted } = canvas;
  if (painted?.norms === norms && painted.colour === colour && painted.width === width && painted.high === scale.high)
    return false;
  canvas.painted = { norms, colour, width, high: scale.high };
  const g = prepareCanvas(canvas, width, height),
    step = width / norms.length;
  g.fillStyle = colour;
  norms.forEach((norm, index) => {
    const tall = (height - 2) * Math.min(1, norm / scale.high);
    g.fillRect(index * step, height - tall, Math.max(1, step - (step > 4 ? 1 : 0)), tall);
  });
  return true;
}

/** Exact as float16 is: five digits tell any two of its numbers apart. */
const exact = (value) =>
  Number.isFinite(value)
    ? String(Number(value.toPrecision(5))).replace("-", "−")
    : Number.isNaN(value)
      ? "NaN"
      : value > 0
        ? "∞"
        : "−∞";
