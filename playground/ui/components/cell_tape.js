// A cell that reads: its gates at the token under the play head, and over all tokens how large its states are.
const PACE = 650, // milliseconds per token while it plays
  SETTLE = 400; // after the last move, before the address is told
const PLAY = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M7 4v16l13-8z"/></svg>',
  PAUSE = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M6 4h4v16H6zM14 4h4v16h-4z"/></svg>';
const fixed = (value) => value.toFixed(2).replace("-", "−");
const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

export default register(function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  const ui = root.ui || (root.ui = build(root));
  ui.data = data;
  ui.tell = () => setTriggerValue("moved", { index: ui.at, at: Date.now() });
  if (ui.of !== data.of) {
    ui.of = data.of;
    ui.at = Math.min(data.at, data.tokens.length - 1);
    ui.seen = null;
    ui.stop();
  }
  ui.tapes.setAttribute("aria-label", data.alt);
  ui.gauges.replaceChildren(...data.gauges.map(gaugeOf));
  ui.legend.replaceChildren(
    element("span", {}, element("i", { style: `background:${data.above}` }), data.words.mean),
    element("span", {}, element("i", { class: "one" }), data.words.unit),
    element("span", {}, element("i", { class: "every" }), data.words.all),
    element("span", { class: "keys faint" }, data.words.keys),
    element(
      "span",
      { class: "buttons" },
      ...saveButtons(data.file, () => [
        svgFile(root, ui.drawn, ui.width, ui.height, "sans-serif"),
        ui.width,
        ui.height,
      ]),
    ),
  );
  ui.draw();
  return () => {
    ui.end();
    root.ui = null;
    root.replaceChildren();
  };
});

const gaugeOf = (gauge) => {
  const track = element("div", { class: "track", "aria-hidden": "true" });
  const made = element(
    "div",
    { class: "gauge" },
    element(
      "div",
      { class: "line" },
      element("span", { class: "letter" }, gauge.letter),
      element("span", { class: "name" }, gauge.name),
      element("span", { class: "value" }),
    ),
    track,
    element("div", { class: "line faint" }, element("span", { class: "does" }, gauge.does)),
  );
  made.marks = Uint8Array.from(atob(gauge.marks), (x) => x.charCodeAt(0));
  return made;
};

/** The parts that stay, and what the hand and the keys do. */
function build(root) {
  const ui = { at: 0, seen: null, playing: null, drawn: "" };
  ui.play = element("button", { type: "button", class: "play", onclick: () => (ui.playing ? ui.stop() : ui.start()) });
  ui.token = element("span", { class: "token mono", "aria-live": "off" });
  ui.count = element("span", { class: "count faint" });
  ui.gauges = element("div", { class: "gauges" });
  ui.legend = element("div", { class: "legend" });
  ui.tapes = element("div", { class: "tapes", tabindex: 0 });
  root.replaceChildren(
    element(
      "div",
      { class: "cell" },
      element(
        "div",
        { class: "now" },
        element("div", { class: "head" }, ui.play, ui.token, ui.count),
        ui.gauges,
        ui.legend,
      ),
      ui.tapes,
    ),
  );
  ui.draw = () => ui.data && (drawNow(ui), drawTapes(ui, root));
  ui.move = (to) => {
    const at = Math.max(0, Math.min(ui.data.tokens.length - 1, to));
    if (at === ui.at && ui.seen === null) return;
    ui.at = at;
    ui.seen = null;
    ui.draw();
    clearTimeout(ui.settle);
    if (!ui.playing) ui.settle = setTimeout(ui.tell, SETTLE);
  };
  ui.stop = () => {
    if (ui.playing) ui.settle = setTimeout(ui.tell, SETTLE);
    clearInterval(ui.playing);
    ui.playing = null;
    if (ui.data) drawPlay(ui);
  };
  ui.start = () => {
    const last = ui.data.tokens.length - 1;
    if (ui.at >= last) ui.move(0);
    clearTimeout(ui.settle);
    ui.playing = setInterval(() => (ui.at < last ? ui.move(ui.at + 1) : ui.stop()), PACE);
    drawPlay(ui);
  };
  listen(ui, root);
  return ui;
}

function listen(ui, root) {
  const jumps = { ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
  const toggle = () => (ui.playing ? ui.stop() : ui.start());
  const step = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in jumps) ui.move(ui.at + jumps[event.key]);
    else if (event.key === " ") toggle();
    else return;
    event.preventDefault();
  };
  ui.tapes.onkeydown = step;
  const column = (event) => {
    const x = event.clientX - ui.tapes.getBoundingClientRect().left - ui.left;
    return Math.max(0, Math.min(ui.data.tokens.length - 1, Math.floor(x / ui.step)));
  };
  ui.tapes.onpointermove = (event) => {
    if (ui.playing || event.pointerType === "touch") return;
    const seen = column(event);
    if (seen !== ui.seen) ((ui.seen = seen), ui.draw());
  };
  ui.tapes.onpointerleave = () => {
    if (ui.seen !== null) ((ui.seen = null), ui.draw());
  };
  ui.tapes.onclick = (event) => ui.move(column(event));
  const asked = (event) => {
    if (event.detail !== " ") return;
    event.preventDefault();
    toggle();
  };
  // The arrows are this view's where nothing else is in the hand's focus; before a room they change the view.
  const arrows = (event) => {
    const free = !document.activeElement || document.activeElement === document.body;
    const presents = getComputedStyle(root).getPropertyValue("--form").trim() === "none";
    if (free && !presents && !event.defaultPrevented && event.key.startsWith("Arrow")) step(event);
  };
  document.addEventListener("playground:key", asked);
  document.addEventListener("keydown", arrows);
  const watcher = new ResizeObserver(() => ui.draw());
  watcher.observe(ui.tapes);
  ui.end = () => {
    watcher.disconnect();
    document.removeEventListener("playground:key", asked);
    document.removeEventListener("keydown", arrows);
    clearInterval(ui.playing);
    clearTimeout(ui.settle);
  };
}

function drawPlay(ui) {
  const words = ui.data.words;
  ui.play.innerHTML = ui.playing ? PAUSE : PLAY;
  ui.play.title = ui.playing ? words.pause : words.play;
  ui.play.setAttribute("aria-label", ui.play.title);
}

/** The play head is a slider; before a room, where nothing is filled in, a picture. */
function drawRole({ tapes, data, at }) {
  const presents = getComputedStyle(tapes).getPropertyValue("--form").trim() === "none";
  tapes.setAttribute("role", presents ? "img" : "slider");
  const gauges = data.gauges.map((gauge) => `${gauge.name} ${fixed(gauge.mean[at])}`);
  const values = {
    "aria-valuemin": 1,
    "aria-valuemax": data.tokens.length,
    "aria-valuenow": at + 1,
    "aria-valuetext": [visible(data.tokens[at]), ...gauges].join(", "),
  };
  for (const [name, value] of Object.entries(values))
    if (presents) tapes.removeAttribute(name);
    else tapes.setAttribute(name, value);
}

/** The token under the play head, and every gauge there. */
function drawNow(ui) {
  const { data } = ui,
    at = ui.seen ?? ui.at;
  drawPlay(ui);
  ui.token.textContent = visible(data.tokens[at]);
  ui.count.textContent = data.words.of.replace("{at}", at + 1);
  drawRole(ui);
  data.gauges.forEach((gauge, index) => {
    const made = ui.gauges.children[index],
      mean = gauge.mean[at],
      unit = gauge.unit[at],
      marks = made.marks.subarray(at * gauge.n, (at + 1) * gauge.n);
    const place = (value) => 100 * Math.max(0, Math.min(1, gauge.signed ? (value + 1) / 2 : value));
    const [from, to] = gauge.signed ? [place(-mean), place(mean)] : [0, place(mean)];
    made.querySelector(".value").textContent = `${gauge.signed ? `${data.words.size} ` : ""}${fixed(mean)}`;
    made.title = `${gauge.name}: ${data.words.mean} ${fixed(mean)}, ${data.words.unit} ${fixed(unit)}`;
    made.querySelector(".track").innerHTML =
      `<svg aria-hidden="true"><rect x="${from}%" width="${to - from}%" height="100%" fill="${data.above}"/>` +
      [...marks]
        .map((v) => `<rect x="${(100 * v) / 255}%" y="25%" width="1" height="50%" fill="currentColor" opacity="0.4"/>`)
        .join("") +
      (gauge.signed ? '<rect x="50%" width="1" height="100%" fill="currentColor"/>' : "") +
      `<rect x="${place(unit)}%" width="5" height="100%" fill="var(--accent)" style="transform:translateX(-2.5px)"/></svg>`;
  });
}

/** The tokens, and under them how open the gate is and how large the states are. */
function drawTapes(ui, root) {
  const { data } = ui,
    style = getComputedStyle(root),
    size = Math.max(parseFloat(style.getPropertyValue("--label-size")) || 13, 13);
  const width = ui.tapes.clientWidth,
    height = ui.tapes.clientHeight;
  if (!width || !height) return;
  const accent = style.getPropertyValue("--accent").trim(),
    n = data.tokens.length,
    at = ui.seen ?? ui.at,
    tokens = data.tokens.map((token) => short(visible(token), 9));
  const step = (ui.step = (width - size) / n),
    longest = Math.max(...tokens.map((token) => token.length)),
    flat = step > size * 0.64 * longest + 6;
  ui.left = size / 2;
  const top = flat ? size * 2 : size * 0.6 * longest + size * 0.9,
    lane = (height - top) / data.tapes.length,
    middle = (index) => ui.left + (index + 0.5) * step;
  const parts = [];
  const text = (x, y, words, more = "") =>
    parts.push(`<text x="${x}" y="${y}" font-size="${size}" fill="currentColor" ${more}>${safe(words)}</text>`);
  parts.push(
    `<rect x="${ui.left + at * step}" y="${top - size * 0.4}" width="${step}" height="${height - top + size * 0.4}" fill="${accent}" opacity="0.2"/>`,
    `<line x1="${middle(at)}" x2="${middle(at)}" y1="${top - size * 0.4}" y2="${height}" stroke="${accent}" stroke-width="2"/>`,
  );
  const every = flat ? 1 : Math.max(1, Math.ceil((size * 1.25) / step));
  tokens.forEach((token, index) => {
    if (index !== at && (index % every || (every > 1 && Math.abs(index - at) < every))) return;
    const mine = index === at ? `font-weight="700" style="fill:${accent}"` : 'opacity="0.8"',
      font = `font-family="${safe(style.getPropertyValue("--st-code-font") || "monospace").replace(/"/g, "'")}" class="token-label"`;
    if (flat) text(middle(index), top - size * 0.8, token, `text-anchor="middle" ${font} ${mine}`);
    else
      text(
        0,
        0,
        token,
        `transform="translate(${middle(index) + size * 0.35},${top - size * 0.6}) rotate(-90)" ${font} ${mine}`,
      );
  });
  data.tapes.forEach((tape, index) =>
    drawTape(parts, text, {
      data,
      tape,
      at,
      size,
      step,
      middle,
      accent,
      ground: themed(root)[1],
      left: ui.left,
      width,
      y: top + index * lane,
      lane,
    }),
  );
  ui.width = width;
  ui.height = height;
  ui.drawn = `<g color="${style.color}">${parts.join("")}</g>`;
  ui.tapes.innerHTML = `<svg width="${width}" height="${height}" aria-hidden="true" font-family="${safe(style.fontFamily).replace(/"/g, "'")}">${parts.join("")}</svg>`;
}

function drawTape(parts, text, { data, tape, at, size, step, middle, accent, ground, left, width, y, lane }) {
  const values = tape.values,
    most = Math.max(...values.filter((_, index) => index !== tape.without), 1e-9),
    from = y + size * 1.7,
    tall = Math.max(8, lane - size * 2.1);
  const said = at === tape.without ? data.leftOut : fixed(values[at]);
  text(left, y + size * 1.1, `${tape.name}: ${said}`, 'font-weight="600"');
  if (tape.bars) {
    const bar = Math.max(1, step * 0.78);
    values.forEach((value, index) => {
      if (index === tape.without) return;
      const high = Math.max(1, (tall * value) / most);
      parts.push(
        `<rect x="${middle(index) - bar / 2}" y="${from + tall - high}" width="${bar}" height="${high}" fill="${index === data.marked ? accent : data.above}" opacity="${index === data.marked || index === at ? 1 : 0.75}"/>`,
      );
    });
    parts.push(
      `<line x1="${left}" x2="${width - left}" y1="${from + tall}" y2="${from + tall}" stroke="currentColor" opacity="0.4"/>`,
    );
    if (data.marked !== null) {
      const x = middle(data.marked),
        high = from + tall - (tall * values[data.marked]) / most;
      parts.push(`<path d="M${x},${high - 3} l${-size * 0.4},${-size * 0.6} h${size * 0.8} z" fill="${accent}"/>`);
      const over = `paint-order="stroke" stroke="${ground}" stroke-width="5" stroke-linejoin="round"`;
      text(width - left, y + size * 1.1, data.mark, `text-anchor="end" style="fill:${accent}" ${over}`);
    }
    return;
  }
  const centre = from + tall / 2,
    half = (value) => Math.max(0.75, (tall / 2) * (value / most));
  const xs = [left, ...values.map((_, index) => middle(index)), width - left],
    halves = [values[0], ...values, values[values.length - 1]].map(half);
  const path = [
    ...xs.map((x, i) => `${x},${centre - halves[i]}`),
    ...xs.map((x, i) => `${x},${centre + halves[i]}`).reverse(),
  ];
  parts.push(
    `<polygon points="${path.join(" ")}" fill="${data.above}" opacity="0.75"/>`,
    `<line x1="${middle(at)}" x2="${middle(at)}" y1="${centre - half(values[at])}" y2="${centre + half(values[at])}" stroke="${accent}" stroke-width="4"/>`,
  );
}
