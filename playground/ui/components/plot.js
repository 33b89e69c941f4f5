/* What every chart on canvas needs: scales, round ticks, numbers in few letters, lines. Pure functions. */

/** A scale from values to pixels: linear, or logarithmic with what is not above zero left out. */
function makeScale(low, high, from, to, log) {
  const bend = log ? Math.log : (v) => v;
  const a = bend(low),
    b = bend(high) - a || 1;
  const scale = (v) => (log && v <= 0 ? NaN : from + ((bend(v) - a) / b) * (to - from));
  scale.invert = (p) => {
    const v = a + ((p - from) / (to - from)) * b;
    return log ? Math.exp(v) : v;
  };
  return Object.assign(scale, { low, high, from, to, log });
}

/** Round values between low and high, about `wanted` of them: 1, 2 or 5 times a power of ten. */
function ticksOf({ low, high, log }, wanted) {
  if (!(high > low)) return [low];
  if (log && Math.log10(high / low) > 0.8) {
    const steps = Math.log10(high / low) > wanted ? [1] : Math.log10(high / low) > wanted / 3 ? [1, 3] : [1, 2, 5];
    const found = [];
    const skip = Math.max(1, Math.ceil(Math.log10(high / low) / wanted));
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
      if (power % skip === 0) for (const step of steps) found.push(step * 10 ** power);
    return found.filter((v) => v >= low * 0.999 && v <= high * 1.001);
  }
  const rough = (high - low) / Math.max(1, wanted),
    power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((m) => m * power >= rough * 0.999) * power;
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) found.push(n * step);
  return found;
}

/** 1234567 is "1.23M", 0.00012 is "1.2e-4": short enough for an axis. */
function brief(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  for (const [unit, letter] of [
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
    [1e4, "k"],
  ])
    if (size >= unit * 0.99999) return trimmed(value / (letter === "k" ? 1e3 : unit), digits) + letter;
  if (size !== 0 && size < 1e-3) return value.toExponential(Math.max(0, digits - 2)).replace(/\.?0+e/, "e");
  return trimmed(value, digits);
}

/** The values of an axis in few letters, but in as many as tell them apart. */
function labelsOf(marks) {
  for (let digits = 3; digits < 8; digits++) {
    const labels = marks.map((v) => brief(v, digits));
    if (new Set(labels).size === marks.length) return labels;
  }
  return marks.map(String);
}

function trimmed(value, digits) {
  const text = value.toPrecision(digits);
  const plain = text.includes("e") ? String(Math.round(value)) : text;
  return plain.includes(".") ? plain.replace(/\.?0+$/, "") : plain;
}

/** Seconds in the unit that suits the longest of them. */
function timeUnit(longest) {
  return longest < 180 ? [1, "s"] : longest < 3 * 3600 ? [60, "min"] : [3600, "h"];
}

/** The index of the value in a sorted list that is nearest to x. */
function nearest(list, x) {
  let low = 0,
    high = list.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (list[middle] < x) low = middle;
    else high = middle;
  }
  return low < high && Math.abs(list[high] - x) < Math.abs(list[low] - x) ? high : Math.max(0, low);
}

/** The smallest and largest finite values that `each` is called with. */
function rangeOf(feed) {
  let low = Infinity,
    high = -Infinity;
  feed((v) => {
    if (v === null || v === undefined || !Number.isFinite(v)) return;
    if (v < low) low = v;
    if (v > high) high = v;
  });
  return low <= high ? [low, high] : null;
}

/** An average over about `window` of x to both sides, so that steep parts do not lag; gaps stay gaps. */
function smooth(xs, ys, window) {
  if (!(window > 0)) return ys;
  const before = decayed(xs, ys, window);
  const after = decayed(xs.map((x) => -x).reverse(), [...ys].reverse(), window).reverse();
  return before.map((y, i) => (y === null ? null : (y + after[i]) / 2));
}

/** Means of what came before, the weight of each falling by e for every window; they lag where the line is steep. */
function decayed(xs, ys, window) {
  let total = 0,
    weight = 0,
    last = null;
  return ys.map((y, i) => {
    if (y === null) return null;
    const gap = last === null ? (xs[i + 1] ?? xs[i] + window) - xs[i] : xs[i] - last;
    const keep = Math.exp(-Math.max(gap, 1e-12) / window);
    total = total * keep + y * (1 - keep);
    weight = weight * keep + (1 - keep);
    last = xs[i];
    return total / weight;
  });
}

/** A line through the points; null makes a gap. */
function strokeLine(g, xs, ys, sx, sy) {
  g.beginPath();
  let down = false;
  for (let i = 0; i < xs.length; i++) {
    const px = sx(xs[i]),
      py = ys[i] === null ? NaN : sy(ys[i]);
    if (!Number.isFinite(px) || !Number.isFinite(py)) down = false;
    else if (down) g.lineTo(px, py);
    else (g.moveTo(px, py), (down = true));
  }
  g.stroke();
}

/** The area between two lines. */
function fillBand(g, xs, lows, highs, sx, sy) {
  g.beginPath();
  const there = xs.map((_, i) => i).filter((i) => lows[i] !== null && Number.isFinite(sx(xs[i])));
  const floor = (v) => (Number.isFinite(sy(v)) ? sy(v) : sy.from);
  there.forEach((i, n) => g[n ? "lineTo" : "moveTo"](sx(xs[i]), floor(highs[i])));
  there.reverse().forEach((i) => g.lineTo(sx(xs[i]), floor(lows[i])));
  g.closePath();
  g.fill();
}

/** A canvas of this size in CSS pixels, sharp on every screen; the context is ready to draw. */
function prepareCanvas(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, width, height);
  return g;
}

/** The theme's colours and font, as they are now. */
function themeOf(node) {
  const style = getComputedStyle(node);
  const get = (name, other) => style.getPropertyValue(`--st-${name}`).trim() || other;
  return {
    text: get("text-color", "#222"),
    back: get("background-color", "#fff"),
    rule: get("border-color", "#ddd"),
    dark: isDark(get("background-color", "#fff")),
    font: get("font", "sans-serif"),
    letters: parseFloat(style.getPropertyValue("--label-size")) || 13,
    fills: style.getPropertyValue("--stage-height").trim() !== "",
  };
}

/** A text that is no wider than `most` pixels in the context's font. */
function shortened(g, text, most) {
  if (g.measureText(text).width <= most) return text;
  let low = 0,
    high = text.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (g.measureText(`${text.slice(0, middle)}…`).width <= most) low = middle;
    else high = middle;
  }
  return `${text.slice(0, low).trimEnd()}…`;
}

/** Whether a colour ("#rrggbb" or "rgb(…)") is nearer to black than to white. */
function isDark(colour) {
  const parts = colour.startsWith("#")
    ? [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16))
    : (colour.match(/[\d.]+/g) || []).map(Number);
  return parts.length >= 3 && parts[0] + parts[1] + parts[2] < 384;
}

/** One cursor for all charts of a page: whoever moves it tells the step, all others follow. */
const CURSOR = "playground:cursor";
function tellCursor(from, step) {
  window.dispatchEvent(new CustomEvent(CURSOR, { detail: { from, step } }));
}
