/* Held-out texts with right and wrong tokens at an evaluation, and the likeliest tokens of one place over all of them. */
const views = new WeakMap();

export default register(function ({ data, parentElement }) {
  let view = views.get(parentElement);
  if (!view) views.set(parentElement, (view = new Examples(parentElement)));
  view.update(data);
  return () => {
    views.delete(parentElement);
    view.close();
  };
});

const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const integers = (text) => new Int32Array(bytesOf(text).buffer);

/** Numbers from float16, which not every browser knows. */
function halves(text) {
  const bits = new Uint16Array(bytesOf(text).buffer);
  return Float32Array.from(bits, (b) => {
    const sign = b & 0x8000 ? -1 : 1,
      exponent = (b >> 10) & 31,
      rest = b & 1023;
    if (exponent === 31) return rest ? NaN : sign * Infinity;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + rest / 1024) : 2 ** -14 * (rest / 1024));
  });
}

const filled = (template, values) => template.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

class Examples {
  constructor(parent) {
    this.scrubbed = null; // the evaluation that was chosen; null: the newest
    this.cursor = null; // the step that the page's common cursor is at
    this.opened = null; // the asked token whose chart is open
    this.looked = null; // the line that is pointed at
    this.title = element("h4", { "aria-live": "off" });
    this.slider = element("input", { type: "range", min: 0, oninput: () => this.scrub(+this.slider.value) });
    this.now = element("span", { class: "now" });
    this.legend = element("span", { class: "legend" });
    this.hint = element("p", { class: "hint" });
    this.list = element("ol", { class: "rows", onkeydown: (event) => this.onKey(event) });
    this.tip = element("div", { class: "tip", role: "tooltip", hidden: true });
    this.scrubber = element("label", { class: "scrub" });
    this.buildChart();
    const head = element("div", { class: "head" }, this.title, this.scrubber, this.legend);
    this.root = element("div", { class: "examples" }, head, this.hint, this.list, this.chart, this.tip);
    this.host = parent.querySelector(".root");
    this.host.append(this.root);
    this.onCursor = ({ detail }) => this.follow(detail.step);
    window.addEventListener(CURSOR, this.onCursor);
    onEscape(this.host, () => this.shut());
    onResize(this.host, this.root, () => this.draw());
  }

  buildChart() {
    this.chartTitle = element("h4");
    this.shutter = element("button", { type: "button", class: "close", onclick: () => this.shut() }, "×");
    this.where = element("p", { class: "where" });
    this.canvas = element("canvas", { role: "img" });
    this.names = element("ol", { class: "names" });
    this.plot = element(
      "div",
      { class: "plot", onpointermove: (event) => this.point(event), onpointerleave: () => this.leave() },
      this.canvas,
      this.names,
    );
    this.at = element("p", { class: "at", "aria-live": "polite" });
    this.caption = element("p", { class: "caption" });
    this.chart = element(
      "section",
      { class: "chart", hidden: true },
      element("header", {}, this.chartTitle, this.shutter),
      this.where,
      this.plot,
      this.at,
      this.caption,
    );
  }

  close() {
    window.removeEventListener(CURSOR, this.onCursor);
    this.host.watcher?.disconnect();
    this.host.endEscape();
    this.root.remove();
  }

  update(data) {
    const texts = JSON.stringify([data.rows, data.targets]);
    this.data = data;
    this.said = integers(data.said);
    this.pSaid = halves(data.pSaid);
    this.ids = integers(data.ids);
    this.p = halves(data.p);
    this.n = data.targets.length;
    this.root.style.setProperty("--line", data.colour);
    if (texts !== this.texts) {
      this.texts = texts;
      this.opened = this.scrubbed = null;
      this.buildRows();
    }
    this.say();
    this.show();
    this.draw();
  }

  /** What does not change with the evaluation: the words, and the slider's length. */
  say() {
    const { words, steps } = this.data;
    this.hint.textContent = words.hint;
    this.list.setAttribute("aria-label", words.label);
    this.scrubber.replaceChildren(words.scrub, this.slider, this.now);
    this.slider.max = steps.length - 1;
    this.slider.disabled = steps.length < 2;
    this.chart.setAttribute("aria-label", words.chart);
    this.shutter.setAttribute("aria-label", words.close);
    this.caption.textContent = words.caption;
    const sign = (kind, text) => element("span", { class: kind }, text);
    this.legend.replaceChildren(
      sign("token", words.right),
      sign("token wrong", words.wrong),
      sign("context", words.context),
    );
  }

  /* The texts */

  buildRows() {
    this.boxes = [];
    this.places = []; // [row, place] of each asked token
    const items = this.data.rows.map((row, r) => {
      const parts = row.before ? [element("span", { class: "context" }, "… ")] : [];
      const asked = new Set(row.asked);
      for (let i = 0; i <= row.pieces.length; i++)
        if (asked.has(i)) parts.push(this.box(r, i));
        else if (i < row.pieces.length) parts.push(element("span", { class: "context" }, visible(row.pieces[i])));
      if (row.after) parts.splice(asked.has(row.pieces.length) ? -1 : parts.length, 0, element("span", { class: "context" }, " … ")); // prettier-ignore
      return element("li", {}, ...parts);
    });
    this.list.replaceChildren(...items);
    if (this.boxes[0]) this.boxes[0].tabIndex = 0;
  }

  box(row, place) {
    const n = this.boxes.length,
      { kind, rows, choices, targets } = this.data,
      piece = rows[row].pieces[place],
      target = choices[targets[n]] ?? "";
    const made = element("button", {
      type: "button",
      class: "token",
      tabindex: -1,
      onclick: () => this.toggle(n),
      onpointerenter: () => this.tell(n),
      onpointerleave: () => (this.tip.hidden = true),
      onfocus: () => this.focused(n),
      onblur: () => (this.tip.hidden = true),
    });
    if (kind === "label") made.append(`→ ${target}`);
    else made.append(visible(piece), ...(kind === "tag" ? [element("small", {}, target)] : []));
    this.boxes.push(made);
    this.places.push([row, place]);
    return made;
  }

  get moment() {
    const { steps } = this.data;
    if (this.cursor !== null) return nearest(steps, this.cursor);
    return Math.min(this.scrubbed ?? steps.length - 1, steps.length - 1);
  }

  name(id) {
    const name = this.data.choices[id] ?? String(id);
    return this.data.kind === "label" || this.data.kind === "tag" ? name : visible(name);
  }

  right(n, at = this.moment) {
    return this.said[at * this.n + n] === this.data.targets[n];
  }

  /** Marks what is wrong at the evaluation that is looked at. */
  show() {
    const { words, steps } = this.data,
      at = this.moment,
      step = steps[at].toLocaleString();
    let count = 0;
    this.boxes.forEach((box, n) => {
      const right = this.right(n, at);
      count += right;
      box.classList.toggle("wrong", !right);
      box.classList.toggle("opened", this.opened === n);
      box.setAttribute("aria-expanded", this.opened === n);
      box.setAttribute("aria-label", `${box.textContent}: ${right ? words.right : words.wrong}`);
    });
    this.title.textContent = filled(words.title, {
      right: count.toLocaleString(),
      asked: this.n.toLocaleString(),
      step,
    });
    this.now.textContent = at === steps.length - 1 ? `${step} (${words.newest})` : step;
    this.slider.value = at;
    this.slider.setAttribute("aria-valuetext", `${words.step} ${step}`);
  }

  scrub(index) {
    this.scrubbed = index === this.data.steps.length - 1 ? null : index;
    this.cursor = null;
    this.show();
    this.draw();
  }

  follow(step) {
    if (step === this.cursor || !this.data) return;
    this.cursor = step;
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => (this.show(), this.draw()));
  }

  /** What is said of a token that is pointed at. */
  tell(n) {
    const { words, steps, targets, width } = this.data,
      at = this.moment;
    this.tip.textContent = filled(this.right(n) ? words.is_right : words.is_wrong, {
      target: this.name(targets[n]),
      step: steps[at].toLocaleString(),
      p: percent(this.p[(at * this.n + n) * width + width - 1]),
      said: this.name(this.said[at * this.n + n]),
      p_said: percent(this.pSaid[at * this.n + n]),
    });
    this.tip.hidden = false;
    const box = this.boxes[n].getBoundingClientRect(),
      frame = this.root.getBoundingClientRect();
    const left = Math.min(box.left - frame.left, frame.width - this.tip.offsetWidth),
      over = box.top - frame.top - this.tip.offsetHeight - 4;
    this.tip.style.left = `${Math.max(0, left)}px`;
    this.tip.style.top = `${over > 0 ? over : box.bottom - frame.top + 4}px`;
  }

  /* The keyboard: one stop for all tokens, arrows between them */

  focused(n) {
    for (const box of this.boxes) box.tabIndex = -1;
    this.boxes[n].tabIndex = 0;
    this.tell(n);
  }

  onKey(event) {
    const n = this.boxes.indexOf(event.target),
      [row] = this.places[n] ?? [];
    const first = (r) => this.places.findIndex(([each]) => each === r);
    const to = { ArrowRight: n + 1, ArrowLeft: n - 1, ArrowDown: first(row + 1), ArrowUp: first(row - 1), Home: 0, End: this.n - 1 }[event.key]; // prettier-ignore
    if (n < 0 || to === undefined) return;
    event.preventDefault();
    this.boxes[to]?.focus();
  }

  /* The chart of one token */

  toggle(n) {
    if (this.opened === n) return void this.shut();
    this.opened = n;
    this.looked = null;
    this.show();
    this.draw();
    this.chart.scrollIntoView({ block: "nearest" });
  }

  shut() {
    if (this.opened === null) return false;
    const box = this.boxes[this.opened],
      inside = this.chart.contains(this.root.getRootNode().activeElement);
    this.opened = null;
    this.show();
    this.draw();
    if (inside) box.focus();
    return true;
  }

  /** The lines of the opened token, the likeliest first: { id, values, target }. */
  get lines() {
    const { width, steps, targets } = this.data,
      n = this.opened,
      target = targets[n];
    const line = (k) => ({
      id: this.ids[n * width + k],
      target: k === width - 1,
      values: steps.map((_, at) => {
        const p = this.p[(at * this.n + n) * width + k];
        return Number.isNaN(p) ? null : p;
      }),
    });
    const found = Array.from({ length: width }, (_, k) => line(k)).filter((each) => each.target || each.id !== target);
    return found.sort((a, b) => b.values.at(-1) - a.values.at(-1));
  }

  draw() {
    this.chart.hidden = this.opened === null;
    if (this.opened === null || !this.plot.clientWidth) return;
    const { words } = this.data,
      theme = themeOf(this.root),
      lines = this.lines;
    this.chartTitle.textContent = words.chart;
    this.sayWhere();
    const L = (this.layout = this.laidOut(lines, theme));
    const g = prepareCanvas(this.canvas, L.width, L.height);
    this.drawAxes(g, L, theme);
    this.drawLines(g, L, theme);
    this.nameLines(L, theme);
    this.sayAt(lines);
    this.canvas.setAttribute("aria-label", `${words.chart}. ${this.at.textContent}`);
  }

  /** The text around the token, so that one sees which it is. */
  sayWhere() {
    const [r, place] = this.places[this.opened],
      { rows, targets, kind } = this.data,
      { pieces } = rows[r];
    const before = pieces.slice(Math.max(0, place - 12), place),
      after = kind === "masked" || kind === "tag" ? pieces.slice(place + 1, place + 9) : [];
    const target = this.name(targets[this.opened]);
    this.where.replaceChildren(
      place > 12 || rows[r].before ? "… " : "",
      before.map(visible).join(""),
      kind === "label" ? " → " : "",
      element("b", {}, kind === "tag" ? `${visible(pieces[place])} (${target})` : target),
      after.map(visible).join(""),
    );
  }

  laidOut(lines, theme) {
    const size = theme.letters,
      row = Math.round(size * 1.25),
      top = 6,
      bottom = size * 2 + 14;
    const height = Math.max(200, row * lines.length + top + bottom);
    this.plot.style.height = `${height}px`;
    const width = this.plot.clientWidth,
      names = Math.min(size * 15, width * 0.42),
      left = size * 4.8;
    const most = Math.max(0.01, ...lines.flatMap((line) => line.values.filter((v) => v !== null)));
    const { steps } = this.data,
      first = steps.length > 1 ? steps[0] : 0;
    const sx = makeScale(
        first,
        Math.max(steps.at(-1), first + 1),
        left,
        Math.max(left + 40, width - names - 26),
        false,
      ),
      sy = makeScale(0, Math.min(1, most * 1.08), height - bottom, top, false);
    return { width, height, names, row, sx, sy, lines, marks: this.spread(lines, sy, row, top) };
  }

  /** Where the names stand: beside the ends of their lines, as near as they fit. */
  spread(lines, sy, row, top) {
    const lowest = sy.from + row * 0.5;
    const tops = lines.map((line) => sy(line.values.at(-1) ?? 0) - row / 2);
    for (let i = 0; i < tops.length; i++) tops[i] = Math.max(tops[i], i ? tops[i - 1] + row : top - 4);
    for (let i = tops.length - 1, limit = lowest; i >= 0; i--, limit -= row) tops[i] = Math.min(tops[i], limit - row);
    return tops;
  }

  drawAxes(g, { height, sx, sy }, theme) {
    const size = theme.letters,
      { words } = this.data;
    g.font = `${size}px ${theme.font}`;
    g.fillStyle = theme.text;
    g.strokeStyle = theme.rule;
    g.textAlign = "right";
    g.textBaseline = "middle";
    for (const v of ticksOf(sy, Math.max(2, (sy.from - sy.to) / (size * 4)))) {
      (g.beginPath(), g.moveTo(sx.from, sy(v)), g.lineTo(sx.to, sy(v)), g.stroke());
      g.globalAlpha = 0.8;
      g.fillText(`${brief(v * 100)} %`, sx.from - 6, sy(v));
      g.globalAlpha = 1;
    }
    g.globalAlpha = 0.8;
    g.textAlign = "center";
    g.textBaseline = "top";
    for (const v of ticksOf(sx, Math.max(2, (sx.to - sx.from) / (size * 6)))) g.fillText(brief(v), sx(v), sy.from + 5);
    g.globalAlpha = 1;
    g.fillText(words.step, (sx.from + sx.to) / 2, height - size - 2);
    g.save();
    g.translate(2, (sy.from + sy.to) / 2);
    g.rotate(-Math.PI / 2);
    g.fillText(words.y, 0, 0);
    g.restore();
  }

  drawLines(g, { sx, sy, lines, marks, row }, theme) {
    const { steps, colour } = this.data;
    const order = [...lines.keys()].sort((a, b) => this.weight(lines, a) - this.weight(lines, b));
    for (const i of order) {
      const { values, target } = lines[i],
        strong = this.weight(lines, i);
      g.strokeStyle = g.fillStyle = target ? colour : theme.text;
      g.globalAlpha = target || this.looked === lines[i].id ? 1 : strong ? 0.75 : 0.38;
      g.lineWidth = target ? 3.5 : strong > 1 ? 2.5 : 1.25;
      g.setLineDash(!target && strong === 1 ? [6, 4] : []);
      strokeLine(g, steps, values, sx, sy);
      g.setLineDash([]);
      values.forEach((v, at) => {
        const alone = values[at - 1] == null && values[at + 1] == null;
        if (v !== null && (alone || at === this.moment))
          (g.beginPath(), g.arc(sx(steps[at]), sy(v), target ? 4 : 2.5, 0, 7), g.fill());
      });
      g.lineWidth = 1;
      g.globalAlpha *= 0.6;
      (g.beginPath(),
        g.moveTo(sx.to + 3, sy(values.at(-1) ?? 0)),
        g.lineTo(sx.to + 20, marks[i] + row / 2),
        g.stroke());
    }
    g.globalAlpha = 0.6;
    g.strokeStyle = theme.text;
    const x = sx(steps[this.moment]);
    if (this.moment < steps.length - 1) (g.beginPath(), g.moveTo(x, sy.to), g.lineTo(x, sy.from), g.stroke());
    g.globalAlpha = 1;
  }

  /** How much a line stands out: the one pointed at, the right one, the one that the model predicts, any other. */
  weight(lines, i) {
    if (this.looked === lines[i].id) return 3;
    return { target: 2, said: 1 }[this.role(lines[i])] ?? 0;
  }

  role({ id, target }) {
    if (target) return "target";
    return id === this.said[this.moment * this.n + this.opened] ? "said" : "";
  }

  nameLines({ lines, marks, names }) {
    const items = lines.map((line, i) => {
      const p = line.values[this.moment];
      const item = element(
        "li",
        {
          class: `${this.role(line)} ${this.looked === line.id ? "looked" : ""}`,
          "data-id": line.id,
          "data-p": p ?? "",
          onpointerenter: () => this.look(line.id),
        },
        element("span", {}, this.name(line.id)),
        element("data", { value: p ?? "" }, p === null ? "–" : percent(p)),
      );
      item.style.cssText = `top:${marks[i]}px;width:${names}px`;
      if (line.target) item.style.color = this.data.colour;
      return item;
    });
    this.names.replaceChildren(...items);
  }

  sayAt(lines) {
    const { words, steps, targets } = this.data,
      at = this.moment;
    const right = lines.find((line) => line.target),
      id = this.looked ?? this.said[at * this.n + this.opened],
      line = lines.find((each) => each.id === id);
    const p = line ? line.values[at] : this.pSaid[at * this.n + this.opened];
    this.at.textContent = filled(id === targets[this.opened] ? words.at_right : words.at, {
      step: steps[at].toLocaleString(),
      name: this.name(id),
      p: p === null ? `(${words.unknown})` : percent(p),
      target: this.name(targets[this.opened]),
      p_target: percent(right.values[at]),
    });
  }

  look(id) {
    if (id === this.looked) return;
    this.looked = id;
    this.draw();
  }

  /** The nearest line at the nearest evaluation. */
  point(event) {
    const { sx, sy, lines } = this.layout ?? {};
    if (!sx) return;
    const box = this.plot.getBoundingClientRect(),
      x = event.clientX - box.left,
      y = event.clientY - box.top,
      { steps } = this.data;
    if (x > sx.to + 8) return;
    const at = nearest(steps, sx.invert(Math.max(sx.from, x)));
    const away = lines.map(({ values }) => (values[at] === null ? Infinity : Math.abs(sy(values[at]) - y)));
    const closest = away.indexOf(Math.min(...away));
    this.looked = away[closest] < 24 ? lines[closest].id : null;
    if (this.cursor === steps[at]) this.draw();
    tellCursor(this, steps[at]);
  }

  leave() {
    this.looked = null;
    tellCursor(this, null);
    this.draw();
  }
}
