/* What the model wrote at each step, and how sure it was of each token of one passage: both follow the cursor. */
const views = new WeakMap();

export default register(function ({ data, parentElement }) {
  let view = views.get(parentElement);
  if (!view) views.set(parentElement, (view = new Moments(parentElement, data)));
  view.update(data);
  return () => {
    views.delete(parentElement);
    view.close();
  };
});

class Moments {
  constructor(parent) {
    this.cursor = null;
    this.token = null; // the token looked at; null: all of them
    this.locked = null;
    this.list = element("ol", { class: "samples", tabindex: 0 });
    this.samplesTitle = element("h4");
    this.strip = element("div", { class: "strip" });
    this.probeTitle = element("h4");
    this.probeText = element("p", { class: "hint" });
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.told = element("div", { class: "told", "aria-live": "polite" });
    this.plot = element(
      "div",
      { class: "plot", onpointermove: (e) => this.point(e), onpointerleave: () => tellCursor(this, null) },
      this.canvas,
    );
    this.written = element("section", {}, this.samplesTitle, this.list);
    this.probed = element("section", {}, this.probeTitle, this.probeText, this.strip, this.told, this.plot);
    this.root = element("div", { class: "moments" }, this.written, this.probed);
    parent.querySelector(".root").append(this.root);
    this.onCursor = ({ detail }) => this.setCursor(detail.step);
    window.addEventListener(CURSOR, this.onCursor);
    this.watcher = new ResizeObserver(() => this.drawProbe());
    this.watcher.observe(this.root);
  }

  close() {
    window.removeEventListener(CURSOR, this.onCursor);
    this.watcher.disconnect();
    this.root.remove();
  }

  update(data) {
    this.data = data;
    this.root.parentElement.classList.toggle("staged", themeOf(this.root).fills);
    this.root.style.setProperty("--line", data.colour);
    this.written.hidden = !data.samples.length;
    this.probed.hidden = !data.probe || !data.probe.rows.length;
    this.showSamples();
    this.showProbe();
  }

  setCursor(step) {
    if (step === this.cursor) return;
    this.cursor = step;
    this.markSample();
    this.colourStrip();
    this.drawProbe();
  }

  /* What it writes */

  showSamples() {
    const { samples, words } = this.data;
    this.samplesTitle.textContent = words.samples;
    this.list.setAttribute("aria-label", words.samples);
    const state = JSON.stringify([samples.length, samples[samples.length - 1]?.step, samples[0]?.step, words.step]);
    if (state === this.sampleState) return;
    this.sampleState = state;
    this.items = samples.map((sample) =>
      element(
        "li",
        { "data-step": sample.step },
        element("span", { class: "step" }, `${words.step} ${sample.step.toLocaleString()}`),
        sampleBody(sample, words),
      ),
    );
    this.list.replaceChildren(...[...this.items].reverse());
    this.markSample();
  }

  markSample() {
    if (!this.items || !this.items.length) return;
    const steps = this.data.samples.map((sample) => sample.step);
    let chosen = steps.length - 1;
    if (this.cursor !== null)
      chosen = Math.max(
        0,
        steps.findLastIndex((step) => step <= this.cursor),
      );
    this.items.forEach((item, i) => item.classList.toggle("now", i === chosen));
    const item = this.items[chosen];
    if (!this.list.matches(":hover"))
      this.list.scrollTop = this.cursor === null ? 0 : item.offsetTop - this.list.offsetTop - 8;
  }

  /* How sure it is */

  showProbe() {
    const { probe, words } = this.data;
    if (!probe || !probe.rows.length) return;
    this.probeTitle.textContent = words.probe;
    this.probeText.textContent = words.probe_hint;
    const state = JSON.stringify(probe.tokens);
    if (state !== this.stripState) {
      this.stripState = state;
      this.boxes = probe.tokens.map((token, i) =>
        element(
          "button",
          {
            onpointerenter: () => this.look(i),
            onpointerleave: () => this.look(this.locked),
            onfocus: () => this.look(i),
            onblur: () => this.look(this.locked),
            onclick: () => ((this.locked = this.locked === i ? null : i), this.look(i)),
          },
          visible(token),
        ),
      );
      this.strip.replaceChildren(
        ...this.boxes.flatMap((box, i) => (probe.tokens[i].endsWith("\n") ? [box, element("br")] : [box])),
      );
    }
    this.colourStrip();
    this.drawProbe();
  }

  look(index) {
    this.token = index;
    this.colourStrip();
    this.drawProbe();
  }

  get moment() {
    const { step } = this.data.probe;
    return this.cursor === null ? step.length - 1 : nearest(step, this.cursor);
  }

  colourStrip() {
    if (!this.boxes) return;
    const { probe, words } = this.data,
      row = probe.rows[this.moment] || [];
    this.boxes.forEach((box, i) => {
      const share = row[i] ?? 0;
      box.style.setProperty("--fill", `${Math.round(share * 75)}%`);
      box.setAttribute("aria-label", `${this.data.probe.tokens[i]}: ${(share * 100).toFixed(1)} %`);
      box.setAttribute("aria-pressed", String(this.locked === i));
      box.classList.toggle("looked", this.token === i);
    });
    const shares = this.curve(),
      at = shares[this.moment];
    const what = this.token === null ? words.mean : `“${visible(probe.tokens[this.token])}”`;
    this.told.textContent = `${what} · ${words.step} ${probe.step[this.moment].toLocaleString()}: ${(at * 100).toFixed(at < 0.01 ? 2 : 1)} %`;
  }

  curve() {
    const { rows } = this.data.probe;
    if (this.token !== null) return rows.map((row) => row[this.token]);
    return rows.map((row) => row.reduce((sum, share) => sum + share, 0) / row.length);
  }

  drawProbe() {
    const width = this.plot.clientWidth,
      height = this.plot.clientHeight,
      { probe, words } = this.data || {};
    if (!width || !probe || !probe.rows.length) return;
    const theme = themeOf(this.root),
      g = prepareCanvas(this.canvas, width, height),
      size = theme.letters;
    const last = probe.step[probe.step.length - 1],
      shares = this.curve(),
      top = Math.max(0.01, ...shares) * 1.15;
    const sx = (this.sx = makeScale(0, last, 46, width - 10, false)),
      sy = makeScale(0, Math.min(1, top), height - size - 26, 6, false);
    g.font = `${size}px ${theme.font}`;
    g.strokeStyle = theme.rule;
    g.fillStyle = theme.text;
    for (const v of ticksOf(sy, 3)) {
      g.globalAlpha = 0.55;
      (g.beginPath(), g.moveTo(sx.from, sy(v)), g.lineTo(sx.to, sy(v)), g.stroke());
      g.globalAlpha = 0.78;
      ((g.textAlign = "right"), (g.textBaseline = "middle"));
      g.fillText(`${brief(v * 100)} %`, sx.from - 6, sy(v));
    }
    g.textBaseline = "top";
    for (const v of ticksOf(sx, Math.max(2, width / (size * 7))))
      ((g.textAlign = sx(v) > width - 24 ? "right" : "center"),
        g.fillText(brief(v), Math.min(width - 2, sx(v)), sy.from + 4));
    g.textAlign = "center";
    g.fillText(words.step_title, (sx.from + sx.to) / 2, sy.from + size + 8);
    g.globalAlpha = 1;
    g.strokeStyle = this.data.colour;
    g.lineWidth = 2;
    strokeLine(g, probe.step, shares, sx, sy);
    const x = sx(probe.step[this.moment]);
    g.fillStyle = this.data.colour;
    (g.beginPath(), g.arc(x, sy(shares[this.moment]), 4, 0, 7), g.fill());
    if (this.cursor === null) return;
    g.strokeStyle = theme.text;
    g.globalAlpha = 0.6;
    g.lineWidth = 1;
    (g.beginPath(), g.moveTo(sx(this.cursor), 2), g.lineTo(sx(this.cursor), sy.from), g.stroke());
  }

  point(event) {
    if (!this.sx) return;
    const box = this.plot.getBoundingClientRect(),
      { step } = this.data.probe;
    const x = Math.min(this.sx.to, Math.max(this.sx.from, event.clientX - box.left));
    tellCursor(this, step[nearest(step, this.sx.invert(x))]);
  }
}
