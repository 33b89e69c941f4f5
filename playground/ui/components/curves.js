/* Live curves. Data flows in through update(); zoom, cursor and choices belong to the reader and stay. */
const charts = new WeakMap();
const SLIDERS_ICON =
  '<svg viewBox="0 0 16 16" width="18" height="18" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.5">' +
  '<path d="M1 4h7m4 0h3M1 12h3m4 0h7"/><circle cx="10" cy="4" r="2"/><circle cx="6" cy="12" r="2"/></svg>';
const DEFAULTS = { axis: "step", logx: false, logy: false, perplexity: false, smoothing: 1, hidden: [] };

export default register(function ({ data, parentElement }) {
  let chart = charts.get(parentElement);
  if (!chart) charts.set(parentElement, (chart = new Curves(parentElement, data)));
  chart.update(data);
  return () => {
    charts.delete(parentElement);
    chart.close();
  };
});

class Curves {
  constructor(parent, data) {
    this.data = data;
    this.place = `playground.curves.${data.key}`;
    this.choices = { ...DEFAULTS, ...data.start, ...this.recall() };
    this.cursor = null; // in steps
    this.zoom = null; // [low, high] on the axis chosen
    this.panels = new Map();
    this.tools = element("div", { class: "tools" });
    this.legend = element("div", { class: "legend" });
    this.grid = element("div", { class: "panels" });
    this.controls = element("div", { class: "controls" }, this.tools, this.legend);
    this.menu = element("button", { type: "button", class: "menu", onclick: () => this.openMenu() });
    this.menu.innerHTML = SLIDERS_ICON;
    this.whole = element("button", { type: "button", class: "whole", hidden: "", onclick: () => this.zoomTo(null) });
    this.root = element("div", { class: "curves" }, this.menu, this.whole, this.controls, this.grid);
    this.root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.controls.classList.contains("open")) return;
      event.stopPropagation();
      this.openMenu(false);
      this.menu.focus();
    });
    this.onOutside = (event) => event.composedPath().includes(this.root) || this.openMenu(false);
    window.addEventListener("pointerdown", this.onOutside);
    parent.querySelector(".root").append(this.root);
    this.still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.onCursor = ({ detail }) => detail.from !== this && this.setCursor(detail.step, false);
    window.addEventListener(CURSOR, this.onCursor);
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(this.root);
  }

  /** In a stage the tools fold into a menu at the corner: the drawing needs the room. */
  openMenu(open = !this.controls.classList.contains("open")) {
    this.controls.classList.toggle("open", open);
    this.menu.setAttribute("aria-expanded", open);
  }

  recall() {
    try {
      return JSON.parse(sessionStorage.getItem(this.place)) || {};
    } catch {
      return {};
    }
  }

  choose(changes) {
    Object.assign(this.choices, changes);
    if ("axis" in changes || "logx" in changes) this.zoomTo(null);
    try {
      sessionStorage.setItem(this.place, JSON.stringify(this.choices));
    } catch {
      // private windows: the choice lasts as long as the page
    }
    this.panels.forEach((panel) => (panel.shown = null));
    this.showTools();
    this.showLegend();
    this.draw();
  }

  close() {
    window.removeEventListener(CURSOR, this.onCursor);
    window.removeEventListener("pointerdown", this.onOutside);
    this.watcher.disconnect();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.gliding);
    this.root.remove();
  }

  update(data) {
    if (this.mainRun?.id !== (data.runs.find((run) => run.main) || data.runs[0])?.id) {
      this.zoom = this.cursor = null; // another run: its curves begin anew
      this.whole.hidden = true;
      this.panels.forEach((panel) => (panel.shown = null));
    }
    this.data = data;
    this.smoothed = new Map();
    this.root.classList.toggle("bare", Boolean(data.bare));
    this.root.classList.toggle("staged", (this.fills = themeOf(this.root).fills));
    this.whole.textContent = data.words.reset;
    this.menu.title = data.words.options;
    this.menu.setAttribute("aria-label", data.words.options);
    this.menu.setAttribute("aria-expanded", this.controls.classList.contains("open"));
    const wanted = data.panels.filter((panel) => data.empty || this.hasValues(panel));
    for (const [id, panel] of this.panels)
      if (!wanted.some((w) => w.id === id)) (panel.figure.remove(), this.panels.delete(id));
    this.grid.style.setProperty("--count", Math.max(1, wanted.filter((panel) => !panel.main).length));
    for (const about of wanted) {
      if (!this.panels.has(about.id)) this.panels.set(about.id, new Panel(this, about));
      this.panels.get(about.id).describe(about);
    }
    this.showTools();
    this.showLegend();
    this.draw();
  }

  hasValues(panel) {
    return this.data.runs.some((run) =>
      [
        [holding(run, panel.line), panel.line],
        [run.validation, panel.points],
      ].some(([table, column]) => table && column && table[column] && table[column].some((v) => v !== null)),
    );
  }

  /* What is drawn */

  get shownRuns() {
    return this.data.runs.filter((run) => !this.choices.hidden.includes(run.id));
  }

  get mainRun() {
    return this.data.runs.find((run) => run.main) || this.data.runs[0];
  }

  /** All lines of a panel: x, y, and the lowest and highest of each bin. */
  lines(about) {
    const key = about.id;
    if (this.smoothed.has(key)) return this.smoothed.get(key);
    const { axis, smoothing, perplexity } = this.choices;
    const shown = (v) => (about.percent ? 100 * v : perplexity && about.perplexity ? Math.exp(v) : v);
    const bend = (list) => list && list.map((v) => (v === null ? null : shown(v)));
    const found = [];
    for (const run of this.shownRuns) {
      const train = holding(run, about.line),
        table = run.validation;
      if (train) {
        const x = train[axis],
          raw = train[about.line];
        const window = about.smooth === false ? 0 : ((x[x.length - 1] - x[0]) * smoothing) / 100;
        found.push({
          run,
          x,
          kind: "line",
          raw: bend(raw),
          y: bend(smooth(x, raw, window)),
          smoothed: window > 0,
          low: bend(train[`${about.line}_low`]),
          high: bend(train[`${about.line}_high`]),
        });
      }
      if (table && about.points && table[about.points] && table[about.points].length)
        found.push({ run, x: table[axis], kind: "points", y: bend(table[about.points]) });
    }
    this.smoothed.set(key, found);
    return found;
  }

  xRange() {
    const { axis, logx } = this.choices;
    const range = rangeOf((see) => {
      for (const run of this.shownRuns)
        for (const table of [run.train, run.validation])
          if (table && table[axis] && table[axis].length) {
            see(logx ? table[axis].find((v) => v > 0) : table[axis][0]);
            see(table[axis][table[axis].length - 1]);
          }
    }) || [0, 1];
    if (this.data.until && axis === "step") range[1] = Math.max(range[1], this.data.until);
    if (!logx && range[0] <= 0.1 * range[1]) range[0] = 0;
    return range[1] > range[0] ? range : [range[0], range[0] + 1];
  }

  /** From a place on the axis to a step of the main run, and back. */
  stepAt(x) {
    const table = tableOf(this.mainRun);
    if (!table) return null;
    return table.step[nearest(table[this.choices.axis], x)];
  }

  placeOf(step, run = this.mainRun) {
    const table = tableOf(run);
    if (!table) return null;
    return this.choices.axis === "step" ? step : table[this.choices.axis][nearest(table.step, step)];
  }

  setCursor(step, tell = true) {
    if (this.cursor === step) return;
    this.cursor = step;
    if (tell) tellCursor(this, step);
    this.draw();
  }

  draw() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      const began = performance.now();
      this.frame = 0;
      this.smoothed = new Map();
      let moving = false;
      for (const panel of this.panels.values()) moving = panel.draw() || moving;
      if (performance.now() - began > 12)
        this.still = true; // a slow machine: no gliding, it needs its time
      else if (moving) this.gliding = setTimeout(() => this.draw(), 16); // some 30 pictures a second are enough
      if (moving && this.still) this.draw();
    });
  }

  /* The reader's choices */

  showTools() {
    const { axis, logx, logy, perplexity, smoothing } = this.choices,
      { words } = this.data;
    const state = JSON.stringify([this.choices, words, this.data.bare]);
    if (state === this.toolState) return;
    this.toolState = state;
    if (this.sliding || this.data.bare) return;
    const had = this.root.getRootNode().activeElement?.dataset?.tool;
    const toggle = (name, on, pressed = { [name]: !on }) =>
      element(
        "button",
        { class: "tool", "data-tool": name, "aria-pressed": String(on), onclick: () => this.choose(pressed) },
        words[name],
      );
    const slider = element("input", {
      type: "range",
      min: 0,
      max: 10,
      step: 0.5,
      value: smoothing,
      "data-tool": "smoothing",
      "aria-label": words.smoothing,
      "aria-valuetext": `${smoothing} %`,
    });
    const told = element("output", {}, `${smoothing} %`);
    slider.addEventListener("input", () => {
      this.sliding = true;
      told.textContent = `${slider.value} %`;
      slider.setAttribute("aria-valuetext", told.textContent); // what a screen reader says of it
      this.choose({ smoothing: Number(slider.value) });
      this.sliding = false;
    });
    this.tools.replaceChildren(
      element(
        "div",
        { class: "group", role: "group", "aria-label": words.axis },
        ...["step", "tokens", "seconds"].map((name) => toggle(name, axis === name, { axis: name })),
      ),
      element(
        "div",
        { class: "group" },
        toggle("logx", logx),
        toggle("logy", logy),
        ...(this.data.panels.some((p) => p.perplexity) ? [toggle("perplexity", perplexity)] : []),
      ),
      element(
        "label",
        { class: "slide", title: words.smoothing_help },
        element("span", {}, words.smoothing),
        slider,
        told,
      ),
      element("span", { class: "space" }),
      ...(this.data.panels.some((p) => p.points)
        ? [
            element("span", { class: "sign" }, element("i", { class: "solid" }), words.training),
            element("span", { class: "sign" }, element("i", { class: "dots" }), words.validation),
          ]
        : []),
      element("button", { class: "tool quiet", "data-tool": "png", onclick: () => savePicture(this) }, "PNG"),
      element("button", { class: "tool quiet", "data-tool": "csv", onclick: () => saveTable(this) }, "CSV"),
    );
    if (had) this.tools.querySelector(`[data-tool="${had}"]`)?.focus();
  }

  showLegend() {
    const { runs, words } = this.data,
      { hidden } = this.choices;
    const state = JSON.stringify([
      runs.map((r) => [r.id, r.name, r.colour, r.main, r.note]),
      hidden,
      words.hide,
      this.data.bare,
    ]);
    if (state === this.legendState) return;
    this.legendState = state;
    const entry = (run) => {
      const on = !hidden.includes(run.id);
      const next = on ? [...hidden, run.id] : hidden.filter((id) => id !== run.id);
      return element(
        "button",
        {
          class: `entry${run.main ? " main" : ""}`,
          style: `--line: ${run.colour}`,
          "aria-pressed": String(on),
          title: words.hide,
          onclick: () => this.choose({ hidden: next }),
        },
        element("i"),
        run.name,
        ...(run.note ? [element("small", {}, run.note)] : []),
      );
    };
    this.legend.replaceChildren(...runs.map(entry));
    this.legend.hidden = Boolean(this.data.bare) || runs.length < 2;
  }

  zoomTo(range) {
    this.zoom = range;
    this.whole.hidden = !range;
    this.showTools();
    this.draw();
  }
}

/** The table of a run with this column: a line is of every step, or of every evaluation. */
function holding(run, column) {
  return [run.train, run.validation].find((table) => column && table && table[column]);
}

/** The columns along which a run's cursor moves: every step where there are some, else the evaluations. */
function tableOf(run) {
  return [run?.train, run?.validation].find((table) => table && table.step && table.step.length) || null;
}
