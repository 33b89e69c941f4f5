/* One chart of the curves: axes, lines, the cursor with its values, zooming by dragging. */
class Panel {
  constructor(curves, about) {
    this.curves = curves;
    this.about = about;
    this.shown = null; // the ranges drawn now, on their way to those wanted
    this.title = element("span", { class: "title" });
    this.value = element("span", { class: "value" });
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.tip = element("div", { class: "tip", hidden: true });
    this.plot = element(
      "div",
      {
        class: "plot",
        tabindex: 0,
        role: "slider",
        "aria-valuemin": 0,
        onpointermove: (e) => this.move(e),
        onpointerleave: () => this.leave(),
        onpointerdown: (e) => this.down(e),
        onpointerup: (e) => this.up(e),
        ondblclick: () => curves.zoomTo(null),
        onkeydown: (e) => this.key(e),
        onblur: () => this.leave(),
      },
      this.canvas,
      this.tip,
    );
    this.figure = element(
      "figure",
      { class: about.main ? "panel main" : "panel" },
      element("figcaption", {}, this.title, this.value),
      this.plot,
    );
    curves.grid.append(this.figure);
  }

  describe(about) {
    this.about = about;
    this.plot.style.setProperty("--tall", `${about.height || (about.main ? 320 : 130)}px`);
    if (about.main) this.plot.setAttribute("aria-description", this.curves.data.alt);
  }

  get heading() {
    const { about, curves } = this;
    return curves.choices.perplexity && about.perplexity ? curves.data.words.perplexity_title : about.title;
  }

  /* Where things are */

  wanted(lines) {
    const { curves, about } = this;
    const x = curves.zoom || curves.xRange();
    const y = rangeOf((see) => {
      for (const line of lines)
        for (let i = 0; i < line.x.length; i++)
          if (line.x[i] >= x[0] && line.x[i] <= x[1]) {
            see(line.y[i]);
            if (line.run.main && line.low) (see(line.low[i]), see(line.high[i]));
            else if (line.run.main && line.raw) see(line.raw[i]);
          }
    }) || [0, 1];
    const log = this.logs(y);
    if (about.zero && !log) y[0] = Math.min(0, y[0]);
    if (log) y[0] = Math.max(y[0], 1e-12);
    const air = y[1] > y[0] ? 0.06 : 0.5;
    const grown = log
      ? [y[0] / (y[1] / y[0]) ** air, y[1] * (y[1] / y[0]) ** air]
      : [
          y[0] - (about.zero && y[0] === 0 ? 0 : (y[1] - y[0] || Math.abs(y[0]) || 1) * air),
          y[1] + (y[1] - y[0] || Math.abs(y[1]) || 1) * air,
        ];
    return [...x, ...grown];
  }

  logs(y = null) {
    return this.curves.choices.logy && this.about.logs !== false && (!y || y[1] > 0);
  }

  /** The ranges glide to where they should be, so that a growing curve does not jump. */
  glide(target) {
    const now = this.shown;
    if (!now || this.curves.still || this.curves.data.still) return ((this.shown = target), false);
    let moving = false;
    this.shown = target.map((goal, i) => {
      const span = Math.abs(i < 2 ? target[1] - target[0] : target[3] - target[2]) || 1;
      if (Math.abs(goal - now[i]) < span * 0.015) return goal; // nobody sees so small a jump
      moving = true;
      return now[i] + (goal - now[i]) * 0.4;
    });
    return moving;
  }

  draw() {
    const width = this.plot.clientWidth,
      height = this.plot.clientHeight;
    if (!width) return false;
    const { curves, about } = this,
      lines = curves.lines(about);
    const moving = this.glide(this.wanted(lines));
    const theme = themeOf(curves.root);
    const g = prepareCanvas(this.canvas, width, height);
    this.paint(g, width, height, lines, theme);
    this.title.textContent = this.heading;
    this.tell(lines);
    return moving;
  }

  /** Draws onto any context, the screen's or a picture's. */
  paint(g, width, height, lines, theme) {
    const { curves, about } = this,
      [x0, x1, y0, y1] = this.shown;
    const size = theme.letters;
    g.font = `${size}px ${theme.font}`;
    const log = this.logs() && y0 > 0,
      foot = about.main || curves.data.bare ? 2 * size + 14 : size + 10;
    const trial = makeScale(y0, y1, 0, 1, log);
    const marks = ticksOf(trial, height / (size * (about.main ? 4.2 : 2.8)));
    const left = Math.max(34, ...labelsOf(marks).map((label) => g.measureText(label).width + 12));
    const ends = curves.fills && about.main ? this.ends(g, lines, width * 0.3, size, theme) : [];
    const across = makeScale(x0, x1, 0, 1, curves.choices.logx && x0 > 0);
    const right = Math.max(10, ...ends.map((end) => end.room(across, width - left)));
    this.sx = makeScale(x0, x1, left, width - right, across.log);
    this.sy = makeScale(y0, y1, height - foot, 8, log);
    this.axes(g, width, height, marks, size, theme);
    g.save();
    g.beginPath();
    g.rect(left, 0, width - left - right + 6, height - foot + 4);
    g.clip();
    for (const line of lines) if (!line.run.main) this.line(g, line, theme);
    for (const line of lines) if (line.run.main) this.line(g, line, theme);
    this.crosshair(g, lines, height - foot, theme);
    g.restore();
    this.name(g, ends, height - foot, size, theme);
  }

  axes(g, width, height, marks, size, theme) {
    const { curves, about, sx, sy } = this,
      { axis } = curves.choices,
      { words } = curves.data;
    g.lineWidth = 1;
    g.strokeStyle = theme.rule;
    g.fillStyle = theme.text;
    g.textBaseline = "middle";
    g.textAlign = "right";
    const values = labelsOf(marks);
    for (const [n, v] of marks.entries()) {
      const y = Math.round(sy(v)) + 0.5;
      g.globalAlpha = 0.55;
      (g.beginPath(), g.moveTo(sx.from, y), g.lineTo(sx.to, y), g.stroke());
      g.globalAlpha = 0.78;
      g.fillText(values[n], sx.from - 7, y);
    }
    const [unit, letter] = axis === "seconds" ? timeUnit(sx.high) : [1, ""];
    const scaled = makeScale(sx.low / unit, sx.high / unit, sx.from, sx.to, sx.log);
    g.textBaseline = "top";
    const along = ticksOf(scaled, Math.max(2, (sx.to - sx.from) / (size * 6)));
    const places = labelsOf(along);
    for (const [n, v] of along.entries()) {
      const text = places[n],
        x = scaled(v),
        half = g.measureText(text).width / 2;
      g.textAlign = x + half > width - 2 ? "right" : "center";
      g.fillText(text, x + half > width - 2 ? width - 2 : x, sy.from + 7);
    }
    g.globalAlpha = 1;
    (g.beginPath(), g.moveTo(sx.from, sy.from + 0.5), g.lineTo(sx.to, sy.from + 0.5), g.stroke());
    if (!about.main && !curves.data.bare) return;
    g.textAlign = "center";
    g.globalAlpha = 0.78;
    g.fillText(
      letter ? `${words[`${axis}_title`]} (${letter})` : words[`${axis}_title`],
      (sx.from + sx.to) / 2,
      sy.from + size + 12,
    );
    g.globalAlpha = 1;
  }

  line(g, line, theme) {
    const { sx, sy } = this,
      { run } = line,
      strong = run.main ? 1 : theme.dark ? 0.7 : 0.5;
    g.strokeStyle = g.fillStyle = run.colour;
    g.lineJoin = g.lineCap = "round";
    g.setLineDash([]);
    if (line.kind === "points") return this.points(g, line, theme, strong);
    if (run.main && line.low) {
      g.globalAlpha = 0.16;
      fillBand(g, line.x, line.low, line.high, sx, sy);
    }
    if (run.main && line.smoothed) {
      g.globalAlpha = 0.3;
      g.lineWidth = 1;
      strokeLine(g, line.x, line.raw, sx, sy);
    }
    g.globalAlpha = strong;
    g.lineWidth = run.main ? 2 : 1.5;
    strokeLine(g, line.x, line.y, sx, sy);
    g.globalAlpha = 1;
  }

  points(g, { run, x, y }, theme, strong) {
    const { sx, sy } = this;
    g.globalAlpha = strong;
    g.lineWidth = run.main ? 1.5 : 1.2;
    g.setLineDash([5, 4]);
    strokeLine(g, x, y, sx, sy);
    g.setLineDash([]);
    const radius = x.length > 80 ? 2 : run.main ? 3.5 : 2.5;
    for (let i = 0; i < x.length; i++) {
      if (y[i] === null || !Number.isFinite(sx(x[i]))) continue;
      g.beginPath();
      g.arc(sx(x[i]), sy(y[i]), radius, 0, 7);
      g.fillStyle = theme.back;
      g.globalAlpha = 1;
      g.fill();
      g.globalAlpha = strong;
      g.stroke();
    }
    g.globalAlpha = 1;
  }

  /** What stands at the ends of the lines: the names of the runs; of a run alone, what each line is. */
  ends(g, lines, most, size, theme) {
    const { words } = this.curves.data,
      alone = this.curves.shownRuns.length < 2;
    const kinds = { line: words.training, points: words.validation };
    const named = lines.filter(
      (line) => alone || lines.find((other) => other.run === line.run) === line, // its line, else its points
    );
    return named.map((line) => {
      const font = `${line.run.main ? 600 : 400} ${size}px ${theme.font}`;
      g.font = font;
      const text = shortened(g, alone ? kinds[line.kind] : line.run.name, most);
      const long = g.measureText(text).width;
      g.font = `${size}px ${theme.font}`;
      // what has to stay free beside the axis, so that the name stands where its line ends, as far as that is in sight
      const room = (across, whole) =>
        whole - (whole - 12 - long) / Math.min(1, Math.max(0.01, across(lastOf(line, across.high).x)));
      return { line, text, font, width: long, room };
    });
  }

  /** Writes them, moved apart where lines end close to each other. */
  name(g, ends, floor, size, theme) {
    const { sx, sy } = this,
      gap = size * 1.25;
    const placed = ends
      .map((end) => {
        const { x, y } = lastOf(end.line, sx.high);
        return { ...end, x: Math.min(sx(x), sx.to) + 8, y: sy(y) };
      })
      .filter((end) => Number.isFinite(end.x + end.y))
      .sort((a, b) => a.y - b.y);
    placed.forEach((end, i) => {
      const above = placed.slice(0, i).filter((other) => Math.abs(other.x - end.x) < Math.max(other.width, end.width));
      end.y = Math.max(size, end.y, ...above.map((other) => other.y + gap));
    });
    let limit = floor - size / 2;
    for (const end of placed.toReversed()) limit = (end.y = Math.min(end.y, limit)) - gap;
    g.textAlign = "left";
    g.textBaseline = "middle";
    g.lineJoin = "round";
    for (const { text, font, x, y, line } of placed) {
      g.font = font;
      g.strokeStyle = theme.back;
      g.lineWidth = 4;
      g.strokeText(text, x, y);
      g.fillStyle = line.run.colour;
      g.fillText(text, x, y);
    }
  }

  crosshair(g, lines, floor, theme) {
    const { curves, sx, sy } = this;
    if (this.drag && Math.abs(this.drag.to - this.drag.from) > 4) {
      g.globalAlpha = 0.12;
      g.fillStyle = theme.text;
      g.fillRect(this.drag.from, 0, this.drag.to - this.drag.from, floor);
      g.globalAlpha = 1;
    }
    if (curves.cursor === null) return;
    const place = curves.placeOf(curves.cursor);
    if (place === null) return;
    g.globalAlpha = 0.6;
    g.strokeStyle = theme.text;
    g.lineWidth = 1;
    const x = Math.round(sx(place)) + 0.5;
    (g.beginPath(), g.moveTo(x, 4), g.lineTo(x, floor), g.stroke());
    g.globalAlpha = 1;
    for (const line of lines) {
      const i = nearest(line.x, place);
      if (line.y[i] == null || line.kind === "points") continue;
      g.fillStyle = line.run.colour;
      (g.beginPath(), g.arc(sx(line.x[i]), sy(line.y[i]), line.run.main ? 4 : 3, 0, 7), g.fill());
    }
  }

  /* What is said: the value in the caption, the tip at the pointer, the slider's text */

  tell(lines) {
    const { curves } = this,
      place = curves.cursor === null ? null : curves.placeOf(curves.cursor);
    const at = (line) => line.y[place === null ? line.y.length - 1 : nearest(line.x, place)];
    const own = lines.filter((line) => line.run === curves.mainRun);
    const alone = curves.shownRuns.filter((run) => run.main).length < 2;
    this.value.textContent = !alone ? "" : own.map((line) => this.said(line, at(line), place)).join(" · ");
    const { words } = curves.data,
      step = curves.cursor ?? this.lastStep(own);
    this.plot.setAttribute("aria-label", this.heading);
    this.plot.setAttribute("aria-valuemax", this.lastStep(own));
    this.plot.setAttribute("aria-valuenow", step);
    this.plot.setAttribute(
      "aria-valuetext",
      `${words.step} ${step}: ${own
        .map((line) => `${line.kind === "line" ? words.training : words.validation} ${brief(at(line), 4)}`)
        .join(", ")}`,
    );
    if (this.tip.hidden || place === null) return;
    this.showTip(lines, place);
  }

  /** A value beside the title. Of a line whose height is a setting, its top as well: its end alone would be read as that. */
  said(line, value, place) {
    const { words, bare } = this.curves.data,
      top = this.about.top && place === null ? rangeOf((see) => line.y.forEach(see)) : null;
    if (!top) return brief(value, 4);
    return bare
      ? `${words.top} ${brief(top[1], 4)}`
      : top[1] === value
        ? brief(value, 4)
        : `${brief(value, 4)} (${words.top} ${brief(top[1], 4)})`;
  }

  lastStep(lines) {
    const steps = tableOf(this.curves.mainRun)?.step;
    return lines.length && steps ? steps[steps.length - 1] : 0;
  }

  showTip(lines, place) {
    const { curves, sx } = this,
      { words } = curves.data,
      { axis } = curves.choices;
    const rows = lines
      .map((line) => {
        const i = nearest(line.x, place),
          range = line.low && line.low[i] !== null && line.low[i] !== line.high[i];
        return {
          line,
          value: line.y[i],
          x: line.x[i],
          range: range ? ` (${brief(line.low[i])} – ${brief(line.high[i])})` : this.elsewhere(line, i),
        };
      })
      .filter((row) => row.value != null);
    rows.sort((a, b) => b.value - a.value);
    const [unit, letter] = axis === "seconds" ? timeUnit(sx.high) : [1, ""];
    const head =
      axis === "step"
        ? `${words.step} ${curves.cursor.toLocaleString()}`
        : `${brief(place / unit, 4)} ${letter || words[axis]} · ${words.step} ${curves.cursor.toLocaleString()}`;
    this.tip.replaceChildren(
      element("b", {}, head),
      ...rows
        .slice(0, 10)
        .map(({ line, value, range }) =>
          element(
            "div",
            { style: `--line: ${line.run.colour}` },
            element("i", { class: line.kind === "points" ? "dots" : "solid" }),
            element(
              "span",
              {},
              curves.data.runs.length > 1 ? line.run.name : line.kind === "points" ? words.validation : words.training,
            ),
            element("span", { class: "number" }, brief(value, 4), element("small", {}, range)),
          ),
        ),
    );
    const width = this.tip.offsetWidth,
      x = sx(place),
      right = x + 14 + width > this.plot.clientWidth;
    this.tip.style.transform = `translate(${Math.max(0, right ? x - width - 14 : x + 14)}px, 8px)`;
  }

  /** An evaluation is shown at the step where it was made, should that be another one. */
  elsewhere({ kind, run }, i) {
    const step = kind === "points" ? run.validation.step[i] : this.curves.cursor;
    return step === this.curves.cursor ? "" : ` (${this.curves.data.words.step} ${step.toLocaleString()})`;
  }

  /* What the reader does */

  at(event) {
    const box = this.plot.getBoundingClientRect();
    return Math.min(this.sx.to, Math.max(this.sx.from, event.clientX - box.left));
  }

  move(event) {
    if (!this.sx) return;
    const pixel = this.at(event);
    if (this.drag) this.drag.to = pixel;
    this.tip.hidden = false;
    this.curves.setCursor(this.curves.stepAt(this.sx.invert(pixel)));
    this.curves.draw();
  }

  leave() {
    this.tip.hidden = true;
    if (!this.drag) this.curves.setCursor(null);
  }

  down(event) {
    if (event.button !== 0 || event.pointerType === "touch" || !this.sx) return;
    this.drag = { from: this.at(event), to: this.at(event) };
    this.plot.setPointerCapture(event.pointerId);
  }

  up() {
    const { drag, sx } = this;
    this.drag = null;
    if (!drag || Math.abs(drag.to - drag.from) < 6) return;
    this.curves.zoomTo([sx.invert(Math.min(drag.from, drag.to)), sx.invert(Math.max(drag.from, drag.to))]);
  }

  key(event) {
    const { curves } = this,
      steps = tableOf(curves.mainRun)?.step;
    if (!steps) return;
    const now = curves.cursor === null ? steps.length - 1 : nearest(steps, curves.cursor);
    const page = Math.max(1, Math.round(steps.length / 10));
    const to = {
      ArrowLeft: now - 1,
      ArrowRight: now + 1,
      ArrowDown: now - 1,
      ArrowUp: now + 1,
      PageDown: now - page,
      PageUp: now + page,
      Home: 0,
      End: steps.length - 1,
    }[event.key];
    if (to !== undefined) {
      this.tip.hidden = false;
      curves.setCursor(steps[Math.max(0, Math.min(steps.length - 1, to))]);
    } else if (event.key === "Escape") (this.leave(), curves.zoomTo(null));
    else if (event.key === "+" || event.key === "-") this.zoomBy(event.key === "+" ? 0.5 : 2);
    else return;
    event.preventDefault();
  }

  zoomBy(factor) {
    const { curves, sx } = this,
      all = curves.xRange();
    const middle = curves.cursor === null ? sx.invert((sx.from + sx.to) / 2) : curves.placeOf(curves.cursor);
    const half = ((sx.high - sx.low) / 2) * factor;
    const range = [Math.max(all[0], middle - half), Math.min(all[1], middle + half)];
    curves.zoomTo(range[0] <= all[0] && range[1] >= all[1] ? null : range);
  }
}

/** The last place of a line that is not beyond `high`. */
function lastOf({ x, y }, high) {
  let i = x.length - 1;
  while (i > 0 && (y[i] == null || x[i] > high)) i--;
  return { x: x[i], y: y[i] };
}

/* Taking the curves along: as a picture, as a table */

function savePicture(curves) {
  const panels = [...curves.panels.values()],
    theme = themeOf(curves.root),
    width = 1200,
    gap = 34;
  const heights = panels.map((panel) => (panel.about.main ? 480 : 220));
  const canvas = element("canvas"),
    total = heights.reduce((sum, h) => sum + h + gap, 30);
  canvas.width = width * 2;
  canvas.height = total * 2;
  const g = canvas.getContext("2d");
  g.scale(2, 2);
  g.fillStyle = theme.back;
  g.fillRect(0, 0, width, total);
  let x = 16;
  for (const run of curves.shownRuns) {
    g.font = `13px ${theme.font}`;
    g.fillStyle = run.colour;
    g.fillRect(x, 14, 18, 3);
    g.fillStyle = theme.text;
    g.fillText(run.name, x + 24, 20);
    x += 48 + g.measureText(run.name).width;
  }
  let y = 30;
  panels.forEach((panel, i) => {
    g.save();
    g.translate(0, y);
    g.textAlign = "left";
    g.textBaseline = "alphabetic";
    g.font = `600 14px ${theme.font}`;
    g.fillStyle = theme.text;
    g.fillText(panel.heading, 16, 22);
    g.translate(0, gap - 4);
    panel.paint(g, width, heights[i], curves.lines(panel.about), { ...theme, letters: 14 });
    g.restore();
    y += heights[i] + gap;
  });
  canvas.toBlob((blob) => keep(blob, "curves.png"));
  curves.draw();
}

function saveTable(curves) {
  const quote = (text) => `"${String(text).replaceAll('"', '""')}"`,
    out = [];
  for (const run of curves.shownRuns)
    for (const [kind, table] of [
      ["training", run.train],
      ["validation", run.validation],
    ]) {
      const names = Object.keys(table || {}).filter((name) => table[name].length);
      if (names.length) out.push(["run", "kind", ...names].join(","));
      (table?.step || []).forEach((_, i) =>
        out.push([quote(run.name), kind, ...names.map((name) => table[name][i] ?? "")].join(",")),
      );
    }
  keep(new Blob([out.join("\n") + "\n"], { type: "text/csv" }), "curves.csv");
}

function keep(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
