// One query's attention, computed from left to right. Every number is a cell that tells its formula; all is laid out in
// pixels from the box, so that letters are never scaled.
const NAMES = ["product", "scaled", "mask", "weight", "part"]; // the five steps
const SECOND = 1000;

export default register(function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  const { words } = data,
    d = data.q.length;
  if (!root.querySelector(".box")) {
    root.innerHTML = `<div class="top"><div class="queries" role="toolbar"></div><button type="button" class="play"></button><span class="buttons"></span></div>
      <div class="box"></div><p class="told" aria-live="polite"></p>`;
  }
  const find = (name) => root.querySelector(`.${name}`),
    box = find("box"),
    told = find("told");
  const number = (v) => (Math.abs(v) >= 1000 ? brief(v, 3) : v.toFixed(data.digits).replace("-", "−"));
  const signed = (v) => (v < 0 ? `(${number(v)})` : number(v));
  const list = (values) =>
    d <= 4
      ? `(${values.map(number).join(", ")})`
      : `(${[...values.slice(0, 2).map(number), "…", number(values.at(-1))].join(", ")})`;
  const fill = (text, given) => text.replace(/\{(\w+)\}/g, (all, name) => given[name] ?? all);
  const sub = (n) => [...String(n)].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]).join("");
  const name = (row) => visible(row.token);
  let pointed = null; // [column, index of a row, channel]

  // What is computed

  /** How a cell came to be, in numbers. */
  function formula([column, index, channel]) {
    const row = shown.rows[index];
    if (column === "z") return sumOf(channel);
    if (column === "q") return `q(${visible(data.queries[data.query])}) = ${list(data.q)}`;
    if (!row) return "";
    if (column === "k") return `k(${name(row)}) = ${list(row.k)}`;
    if (column === "product") return `q·k(${name(row)}) = ${products(data.q, row.k)} = ${number(row.product)}`;
    if (column === "scaled") return scaledOf(row);
    if (column === "mask")
      return fill(row.allowed ? words.seen : words.masked, { token: name(row), score: number(row.scaled) });
    if (column === "weight") return weightOf(row);
    return `${number(row.weight)} · v(${name(row)}) = ${number(row.weight)} · ${list(row.v)} = ${list(row.part)}`;
  }
  /** A sum, written short: its first terms and its last; more: there are terms beyond those given. */
  const terms = (made, more = false) =>
    (made.length > 4 || more ? [...made.slice(0, 3), "…", ...(more ? [] : [made.at(-1)])] : made).join(" + ");
  const products = (a, b) => terms(a.map((v, i) => `${signed(v)}·${signed(b[i])}`));
  function scaledOf(row) {
    const bias = row.bias === null ? "" : ` − ${number(-row.bias)} (ALiBi)`;
    if (!data.scaling) return `${words.unscaled}: ${number(row.product)}${bias}${bias && ` = ${number(row.scaled)}`}`;
    return `${number(row.product)} ÷ √${d}${bias} = ${number(row.scaled)}`;
  }
  function weightOf(row) {
    if (!row.allowed) return fill(words.masked, { token: name(row) });
    const less = data.shift ? (v) => `${number(v)} − ${number(data.shift)}` : number;
    const all = data.rows.filter(({ allowed }) => allowed);
    const more = all.length < data.n - data.hidden;
    const sum = terms(
      all.map(({ scaled }) => `exp(${less(scaled)})`),
      more,
    );
    const power = Math.exp(row.scaled - data.shift);
    return `exp(${less(row.scaled)}) ÷ (${sum}) = ${number(power)} ÷ ${number(data.total)} = ${number(row.weight)}`;
  }
  function sumOf(channel) {
    const all = data.rows.filter(({ allowed }) => allowed);
    const sum = terms(
      all.map((row) => `${number(row.weight)}·${signed(row.v[channel])}`),
      all.length < data.n - data.hidden,
    );
    return `z${sub(channel + 1)} = ${sum} = ${number(data.z[channel])}`;
  }

  // Where it stands

  let L,
    shown,
    shade = null;

  /** Sizes in pixels: letters as large as box and rows allow, never below the page's smallest. */
  function layout() {
    const { size: least } = stageOf(root);
    const width = box.clientWidth || 600,
      height = box.clientHeight || 400;
    const narrow = width < 34 * least;
    const size = Math.max(least, Math.min(22, height / (1.75 * Math.min(data.rows.length, 12) + 6), width / 62));
    const rooms = narrow
      ? { word: 1.3, k: 0, product: 1, scaled: 1, mask: 1, weight: 1.3, part: 1.2 }
      : { word: 1.3, k: 1.9, product: 1, scaled: 1, mask: 1, weight: 2, part: 2 };
    const gap = narrow ? 4 : Math.max(1.4 * size, 0.022 * width);
    const names = Object.keys(rooms).filter((name) => rooms[name]);
    const unit = (width - gap * (names.length - 1)) / names.reduce((sum, name) => sum + rooms[name], 0);
    const columns = {};
    let x = 0;
    for (const name of names) {
      columns[name] = [x, rooms[name] * unit];
      x += rooms[name] * unit + gap;
    }
    const head = 2.7 * size,
      q = narrow ? 0 : 1.9 * size,
      foot = 2 * size;
    const free = height - head - q - foot - 4,
      most = Math.max(2, Math.floor(free / (1.45 * size)));
    const rows = choose(most),
      n = rows.length + (rows.length < data.n ? 1 : 0);
    const tall = Math.min((narrow ? 5 : 3.2) * size, free / n);
    return { width, height, size, narrow, gap, columns, head, q, tall, rows, n, top: head + q };
  }

  /** The heaviest keys that have room, in the order of the text; the sum of the others has a row of its own. */
  function choose(most) {
    const room = data.n <= most && data.n === data.rows.length ? data.n : Math.min(12, most - 1);
    return data.rows.filter(({ rank }) => rank < room);
  }
  function rest() {
    const left = (whole, of) => whole - L.rows.reduce((sum, row) => sum + of(row), 0);
    return { weight: left(1, (row) => row.weight), part: data.z.map((v, i) => left(v, (row) => row.part[i])) };
  }

  // What is drawn

  const made = (tag, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [k, v] of Object.entries(attributes)) node.setAttribute(k, v);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const groups = {};
  let svg, ink, accent;
  const word = (into, x, y, text, more = {}) => {
    const node = made("text", { x, y, "dominant-baseline": "central", "font-size": L.size, fill: ink, ...more }, text);
    into.append(node);
    return node;
  };
  const fits = (text, wide) => {
    const letters = [...text];
    let room = wide / L.size;
    const end = letters.findIndex((letter) => (room -= letter > "\u2e80" ? 1 : 0.55) < 0);
    return end < 0 ? text : letters.slice(0, Math.max(1, end - 1)).join("") + "…";
  };
  const cell = (at, node) => {
    node.dataset.cell = JSON.stringify(at);
    return node;
  };

  /** Signed values on the page's colour: the largest of a column has the full one. */
  function colourOf(v, most) {
    const place = Math.round((shade.length - 1) * (0.5 + 0.5 * Math.max(-1, Math.min(1, most ? v / most : 0))));
    const [r, g, b] = shade[place];
    return [`rgb(${r},${g},${b})`, r * 0.299 + g * 0.587 + b * 0.114 > 118 ? "#111" : "#fff"];
  }
  const largest = (of) => Math.max(1e-9, ...L.rows.map((row) => Math.max(...of(row).map(Math.abs))));

  /** A row of cells: numbers where there are few channels and room, colours alone where not. */
  function vector(into, column, values, y, tall, most, at) {
    const [x, wide] = L.columns[column],
      each = wide / values.length,
      written = values.length <= 4 && each > 3.1 * L.size * (data.digits > 2 ? 1.1 : 0.85);
    values.forEach((v, i) => {
      const [ground, letters] = colourOf(v, most);
      const box = { x: x + i * each, y: y - tall / 2, width: Math.max(0.5, each - (each > 6 ? 1 : 0)), height: tall };
      into.append(cell([...at, i], made("rect", { ...box, fill: ground, stroke: ink, "stroke-opacity": 0.16 })));
      if (written)
        word(into, x + (i + 0.5) * each, y, number(v), { "text-anchor": "middle", fill: letters }).style.pointerEvents =
          "none";
    });
  }
  function score(into, column, row, index, y, tall, most) {
    const [x, wide] = L.columns[column],
      closed = column === "mask" && !row.allowed,
      v = column === "product" ? row.product : row.scaled;
    const [ground, letters] = closed ? ["url(#steps-hatch)", ink] : colourOf(v, most);
    const box = { x, y: y - tall / 2, width: wide, height: tall, rx: 4, fill: ground, stroke: ink };
    into.append(cell([column, index], made("rect", { ...box, "stroke-opacity": 0.16 })));
    word(into, x + wide / 2, y, closed ? "−∞" : number(v), {
      "text-anchor": "middle",
      fill: letters,
    }).style.pointerEvents = "none";
  }
  function bar(into, weight, index, y, tall, most) {
    const [x, wide] = L.columns.weight,
      text = 3.2 * L.size,
      free = Math.max(8, wide - text);
    const row = made("rect", { x, y: y - tall / 2, width: wide, height: tall, fill: "transparent" });
    const track = { x, y: y - tall * 0.36, height: tall * 0.72, rx: 3 };
    into.append(
      made("rect", { ...track, width: free, fill: ink, "fill-opacity": 0.08 }),
      made("rect", { ...track, width: Math.max(weight > 0 ? 1.5 : 0, (free * weight) / most), fill: data.colour }),
    );
    word(into, x + wide, y, number(weight), { "text-anchor": "end" });
    into.append(index === null ? row : cell(["weight", index], row));
  }
  /** From each column to the next, in the row's middle. */
  function arrow(into, from, to, y, faint = 0.45) {
    if (L.narrow) return;
    const end = (name) => L.columns[name][0] + L.columns[name][1];
    into.append(
      made("line", {
        x1: end(from) + 4,
        x2: L.columns[to][0] - 5,
        y1: y,
        y2: y,
        stroke: ink,
        "stroke-opacity": faint,
        "stroke-width": 1.5,
        "marker-end": "url(#steps-arrow)",
      }),
    );
  }

  function heads() {
    const titles = {
      product: ["q · k", ""],
      scaled: [data.scaling ? "÷ √d" : "÷ 1", data.scaling ? `√${d} = ${Math.sqrt(d).toFixed(2)}` : words.unscaled],
      mask: [words.mask, data.hidden ? words.later : words.open],
      weight: ["softmax", "exp(s) ÷ Σ exp"],
      part: ["× v → z", "Σ w · v"],
    };
    NAMES.forEach((name, step) => {
      const [x, wide] = L.columns[name],
        into = groups[name],
        middle = x + wide / 2,
        more = { "text-anchor": "middle", "font-weight": 700 };
      const first = L.narrow ? titles[name][0] : `${step + 1}  ${titles[name][0]}`;
      word(into, middle, 0.75 * L.size, fits(first, wide + L.gap), more);
      if (titles[name][1] && !L.narrow)
        word(into, middle, 1.95 * L.size, fits(titles[name][1], wide + L.gap), {
          "text-anchor": "middle",
          "fill-opacity": 0.75,
        });
    });
  }
  function inputs() {
    const [x, wide] = L.columns.word,
      into = groups.word,
      asks = data.queries[data.query];
    word(into, x, L.narrow ? 0.75 * L.size : 1.95 * L.size, words.key, { "fill-opacity": 0.75 });
    if (!L.columns.k) return;
    const y = L.head + L.q / 2 - 2,
      most = Math.max(1e-9, ...data.q.map(Math.abs));
    word(into, L.columns.k[0] + L.columns.k[1] / 2, 1.95 * L.size, d > 4 ? fill(words.numbers, { n: d }) : "k", {
      "text-anchor": "middle",
      "fill-opacity": 0.75,
    });
    word(into, x, y, fits(`q ${visible(asks)}`, wide + L.gap), { fill: accent, "font-weight": 700 });
    vector(into, "k", data.q, y, 1.5 * L.size, most, ["q", 0]);
    const [left, room] = L.columns.k;
    into.append(
      made("rect", {
        x: left - 2,
        y: y - 0.75 * L.size - 2,
        width: room + 4,
        height: 1.5 * L.size + 4,
        rx: 4,
        fill: "none",
        stroke: accent,
        "stroke-width": 2,
      }),
    );
  }
  function draw() {
    stop(false);
    L = layout();
    shown = { rows: L.rows };
    const style = getComputedStyle(root);
    ink = style.color;
    accent = style.getPropertyValue("--accent").trim();
    shade = ramp(onGround(data.scale, themed(root)[1]), 257);
    const font = style.getPropertyValue("--st-font") || "sans-serif";
    svg = made("svg", { class: "steps", width: L.width, height: L.height, role: "img", "font-family": font });
    svg.setAttribute("aria-label", data.alt);
    svg.setAttribute("tabindex", 0);
    svg.innerHTML = `<defs><marker id="steps-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="${ink}"/></marker>
      <pattern id="steps-hatch" width="6" height="6" patternUnits="userSpaceOnUse"><path d="M0,6 L6,0" stroke="${ink}" stroke-opacity="0.3"/></pattern></defs>`;
    for (const name of ["word", ...NAMES]) {
      groups[name] = made("g", { class: name === "word" ? "" : "step" });
      svg.append(groups[name]);
    }
    heads();
    inputs();
    drawRows();
    drawSum();
    svg.onmousemove = svg.onclick = (event) => point(event);
    svg.onmouseleave = () => tell(null);
    svg.onkeydown = keys;
    box.replaceChildren(svg);
    paint();
    tell(null);
  }
  function drawRows() {
    const tall = Math.min(L.tall - 4, (L.narrow ? 3 : 2.1) * L.size),
      { word: names, product, scaled, mask, weight, part } = groups;
    const most = {
      k: largest((row) => row.k),
      product: largest((row) => [row.product]),
      scaled: largest((row) => [row.scaled]),
      weight: Math.max(1e-9, ...L.rows.map((row) => row.weight)),
      part: largest((row) => row.part),
    };
    L.rows.forEach((row, index) => {
      const y = L.top + (index + 0.5) * L.tall,
        own = data.asksOwn && row.place === data.query;
      const label = word(names, L.columns.word[0], y, fits(visible(row.token), L.columns.word[1]), {
        "font-weight": own ? 700 : 400,
        fill: own ? accent : ink,
      });
      if (data.asksOwn) {
        label.style.cursor = "pointer";
        label.onclick = () => ask(row.place);
      }
      if (L.columns.k) {
        vector(names, "k", row.k, y, tall, most.k, ["k", index]);
        arrow(product, "k", "product", y);
      }
      score(product, "product", row, index, y, tall, most.product);
      arrow(scaled, "product", "scaled", y);
      score(scaled, "scaled", row, index, y, tall, most.scaled);
      arrow(mask, "scaled", "mask", y);
      score(mask, "mask", row, index, y, tall, most.scaled);
      arrow(weight, "mask", "weight", y, row.allowed ? 0.45 : 0.12);
      bar(weight, row.weight, index, y, tall, most.weight);
      arrow(part, "weight", "part", y, row.allowed ? 0.45 : 0.12);
      vector(part, "part", row.part, y, tall, most.part, ["part", index]);
    });
    if (L.n > L.rows.length) {
      const others = rest(),
        y = L.top + (L.n - 0.5) * L.tall;
      const said = fill(words.more, { n: data.n - L.rows.length });
      word(names, L.columns.word[0], y, said, { "fill-opacity": 0.75 });
      bar(weight, Math.max(0, others.weight), null, y, tall, Math.max(most.weight, others.weight));
      vector(part, "part", others.part, y, tall, most.part, ["others", -1]);
    }
  }
  /** The values' sum, under a line as in written addition. */
  function drawSum() {
    const [x, wide] = L.columns.part,
      y = L.top + L.n * L.tall + L.size,
      into = groups.part;
    into.append(made("line", { x1: x, x2: x + wide, y1: y - L.size + 1, y2: y - L.size + 1, stroke: ink }));
    word(into, x - 6, y, "z =", { "text-anchor": "end", "font-weight": 700, fill: accent });
    vector(into, "part", data.z, y, 1.5 * L.size, Math.max(1e-9, ...data.z.map(Math.abs)), ["z", 0]);
    const total = number(1);
    const [left, room] = L.columns.weight;
    if (!L.narrow)
      word(groups.weight, left + room / 2, y, `Σ = ${total}`, { "text-anchor": "middle", "fill-opacity": 0.75 });
  }

  // What a person does

  function point(event) {
    const held = event.target.dataset?.cell;
    tell(held ? JSON.parse(held) : null);
  }
  const same = (at, other) => JSON.stringify(at) === JSON.stringify(other);
  function tell(at) {
    if (at?.[0] === "others") at = null;
    pointed = at;
    for (const node of svg.querySelectorAll("[data-cell]")) {
      const on = at && same(JSON.parse(node.dataset.cell), at);
      node.setAttribute("stroke", on ? accent : ink);
      node.setAttribute("stroke-opacity", on ? 1 : 0.16);
      node.setAttribute("stroke-width", on ? 3 : node.dataset.cell.startsWith('["weight"') ? 0 : 1);
    }
    if (at) told.textContent = formula(at);
    else told.textContent = root.step >= 0 ? sentence(root.step) : words.hint;
  }
  function sentence(step) {
    const most = data.rows.find(({ rank }) => rank === 0);
    let text = words.steps[step];
    if (step === 1 && !data.scaling) text = words.undivided;
    if (step === 2 && !data.hidden) text = words.unmasked;
    return fill(text, { token: visible(data.queries[data.query]), d, most: name(most), weight: number(most.weight) });
  }
  function ask(query) {
    if (query === data.query || query < 0 || query >= data.queries.length) return;
    root.asked = true;
    setTriggerValue("asked", { query });
  }
  /** Arrow keys move from cell to cell. */
  function keys(event) {
    const by = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    if (!by) return;
    event.preventDefault();
    const at = pointed ? Math.max(0, NAMES.indexOf(pointed[0])) : 0,
      row = pointed ? Math.max(0, pointed[1]) : 0;
    const column = NAMES[Math.max(0, Math.min(NAMES.length - 1, at + (pointed ? by[0] : 0)))];
    const next = Math.max(0, Math.min(L.rows.length - 1, row + (pointed ? by[1] : 0)));
    tell(column === "part" ? [column, next, 0] : [column, next]);
  }

  // The five steps, one after another

  function paint() {
    NAMES.forEach((name, step) => groups[name].classList.toggle("later", root.step >= 0 && step > root.step));
    const plays = root.step >= 0,
      button = find("play");
    button.textContent = `${plays ? "■" : "▶"}${L.narrow ? "" : ` ${plays ? words.stop : words.play}`}`;
    button.setAttribute("aria-label", plays ? words.stop : words.play);
  }
  function stop(again = true) {
    clearInterval(root.timer);
    root.timer = null;
    root.step = -1;
    if (again) (paint(), tell(null));
  }
  function play() {
    if (root.step >= 0) return stop();
    root.step = 0;
    const next = () => (paint(), tell(null));
    next();
    root.timer = setInterval(() => {
      if (root.step >= NAMES.length - 1) return stop();
      root.step++;
      next();
    }, 2.5 * SECOND);
  }

  function chips() {
    const strip = find("queries"),
      chosen = data.query;
    strip.setAttribute("aria-label", words.query);
    const chip = (text, i) =>
      element(
        "button",
        {
          type: "button",
          class: "query",
          "aria-pressed": String(i === chosen),
          tabindex: i === chosen ? 0 : -1,
          onclick: () => ask(i),
        },
        visible(text),
      );
    // Of a long text those around the chosen one: a row of 500 buttons would take longer than the picture.
    const start = Math.max(0, Math.min(chosen - 40, data.queries.length - 80));
    const made = data.queries.slice(start, start + 80).map((text, i) => chip(text, start + i));
    strip.replaceChildren(element("span", { class: "name faint" }, words.query), ...made);
    const own = made[chosen - start];
    strip.scrollLeft = Math.max(0, own.offsetLeft - strip.offsetLeft - strip.clientWidth / 2);
    if (root.asked) own.focus({ preventScroll: true });
    root.asked = false;
    strip.onkeydown = (event) => {
      const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      ask(chosen + by);
    };
  }
  /** In a wide window the picture makes room for the open drawer: its numbers move the picture. */
  function beside() {
    const open = document.documentElement.dataset.drawer === "open" && innerWidth >= 1000,
      drawer = open && document.querySelector(".st-key-stage-drawer");
    const left = drawer ? innerWidth - drawer.offsetWidth : innerWidth;
    const over = Math.max(0, root.getBoundingClientRect().right - left);
    root.style.paddingRight = over && drawer ? `${over + 12}px` : "";
  }
  root.step ??= -1;
  draw();
  chips(); // after the button beside them has its words, and so its width
  find("play").onclick = play;
  const picture = () => [svgFile(root, svg.innerHTML, L.width, L.height, "sans-serif"), L.width, L.height];
  find("buttons").replaceChildren(...saveButtons(data.file, picture));
  if (L.height !== box.clientHeight || L.width !== box.clientWidth) draw(); // the row above has grown since
  onResize(root, box, draw);
  beside();
  root.drawer?.disconnect();
  root.drawer = new MutationObserver(beside);
  root.drawer.observe(document.documentElement, { attributeFilter: ["data-drawer"] });
  root.endKeys?.();
  const pressed = (event) => {
    const head = Number(event.detail) - 1;
    if (event.detail === " ") play();
    else if (head >= 0 && head < data.heads) setTriggerValue("asked", { head });
    else return;
    event.preventDefault();
  };
  document.addEventListener("playground:key", pressed);
  root.endKeys = () => document.removeEventListener("playground:key", pressed);
  return () => {
    clearInterval(root.timer);
    root.watcher?.disconnect();
    root.drawer?.disconnect();
    root.endKeys();
  };
});
