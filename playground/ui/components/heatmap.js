// A matrix on a canvas: cells from a picture one pixel a cell, labels where there is room, a cursor for mouse and keys.
function floats(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

const SHADES = 257; // odd: the middle of a scale is one of them
const SEEN = 2.5; // pixels: the smallest cell that is seen
const CURVE = 140; // pixels under the picture
const RING = 4; // pixels around what is meant, for a room
const shorten = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);

export default register(function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  const accent = getComputedStyle(root).getPropertyValue("--accent").trim();
  if (!root.querySelector("canvas")) {
    root.innerHTML = `<div class="tools"><span class="legend"><span></span><b></b><i></i><b></b></span><span class="legend closed"><i></i><b></b></span>
      <label class="zoom"><span></span><input type="range" min="0" max="100" value="0"></label><span class="buttons"></span></div>
      <div class="scroll"><canvas tabindex="0" role="img"></canvas></div><p class="told told-line" aria-live="polite"></p>`;
  }
  const canvas = root.querySelector("canvas"),
    scroll = root.querySelector(".scroll"),
    told = root.querySelector(".told");
  let stage = stageOf(root);
  const [n, m] = data.shape,
    values = floats(data.values),
    [low, high] = data.span;
  const said = data.tokens ? visible : String,
    rows = data.rows.map(said),
    columns = data.columns.map(said);
  canvas.setAttribute("aria-label", data.alt);
  const closed = values.some((v) => !Number.isFinite(v));
  let ground = null,
    colours,
    picture,
    small;

  /** The colours and the picture on the page as it is now, by day or by night. */
  function grounded() {
    const now = themed(root)[1];
    if (now === ground) return;
    ground = now;
    const scale = onGround(data.colours, ground);
    colours = ramp(scale, SHADES);
    picture = coloured(values, n, m);
    small = null;
    root.querySelector(".legend i").style.background = `linear-gradient(90deg, ${scale.join(", ")})`;
  }
  const shade = (v) => {
    const about = Math.abs(v) < data.floor ? 0 : v;
    return colours[Math.max(0, Math.min(SHADES - 1, Math.round(((SHADES - 1) * (about - low)) / (high - low || 1))))];
  };

  /** One pixel a cell. */
  function coloured(values, n, m) {
    const canvas = document.createElement("canvas"),
      pixels = new ImageData(m, n);
    canvas.width = m;
    canvas.height = n;
    for (let i = 0; i < n * m; i++) {
      if (!Number.isFinite(values[i])) continue;
      const [r, g, b] = shade(values[i]);
      pixels.data.set([r, g, b, 255], 4 * i);
    }
    canvas.getContext("2d").putImageData(pixels, 0, 0);
    return canvas;
  }

  /** The picture where its cells can be seen; else a smaller one, whose cells are the largest of those they stand for. */
  function fitting(L) {
    const wide = Math.max(1, Math.min(m, Math.floor((L.w * m) / SEEN))),
      tall = Math.max(1, Math.min(n, Math.floor((L.h * n) / SEEN)));
    if (wide === m && tall === n) return picture;
    if (small && small.width === wide && small.height === tall) return small;
    const kept = new Float32Array(wide * tall).fill(NaN);
    for (let i = 0; i < n; i++) {
      const row = Math.floor((i * tall) / n) * wide;
      for (let j = 0; j < m; j++) {
        const v = values[i * m + j],
          at = row + Math.floor((j * wide) / m);
        if (!(Math.abs(v) <= Math.abs(kept[at]))) kept[at] = Number.isFinite(v) ? v : kept[at];
      }
    }
    return (small = coloured(kept, tall, wide));
  }
  const zoom = root.querySelector(".zoom input");
  const inside = (cell) => (cell && cell[0] < n && cell[1] < m ? cell : null);
  let locked = inside(root.locked),
    at = locked || inside(root.cursor);
  cancelAnimationFrame(root.frame); // asked for by the call before: it would draw the former values over these
  root.frame = null;

  const codeFont = () => getComputedStyle(root).getPropertyValue("--st-code-font") || "monospace";

  /** How wide the longest of some labels is, cut to so many letters. */
  function widest(labels, most) {
    const context = canvas.getContext("2d");
    context.font = `${stage.size}px ${codeFont()}`;
    return Math.max(stage.size, ...labels.map((label) => context.measureText(shorten(label, most)).width));
  }

  /** What the labels take around the cells, before these have a size. */
  function margins(width) {
    const { size } = stage,
      title = data.titles ? size + 7 : 0;
    const names = widest(columns, 11),
      left = title + Math.min(widest(rows, 14) + 14, Math.max(width * 0.3, 4 * size));
    return { title, left, right: 12, flatTop: 2 * size, slantTop: Math.ceil(0.94 * names + 0.6 * size + 9), names };
  }

  function layout() {
    const width = scroll.clientWidth || 600,
      M = margins(width),
      under = data.curve ? (stage.fills ? Math.max(90, Math.min(CURVE, scroll.clientHeight * 0.24)) : CURVE) : 0;
    const fit = Math.max(0, (width - M.left - M.right) / m);
    const free = stage.fills ? filling(M, fit, under) : standing(fit);
    const grow = 1 + (zoom.value / 100) * Math.max(0, 26 / Math.min(fit, free) - 1);
    const widthOf = stage.fills || data.cell ? fit : Math.min(fit, 90),
      w = Math.min(widthOf, stage.fills ? Math.max(160, 4 * free) : Infinity) * grow,
      h = free * grow;
    const flat = w > M.names + 6,
      top = M.title + (flat ? M.flatTop : M.slantTop);
    return {
      left: M.left,
      top,
      w,
      h,
      fit,
      flat,
      under,
      title: M.title,
      width: Math.ceil(M.left + w * m + M.right),
      height: Math.floor(top + h * n + under + 6),
    };
  }

  /** How high a row is where the page scrolls: as much as is easily read. */
  function standing(fit) {
    const most = n < 9 ? 56 : 34,
      least = n > 40 ? (data.curve ? 400 : 460) / n : 14;
    return data.cell || Math.min(most, Math.max(least, Math.min(fit, most, (data.curve ? 440 : 500) / n)));
  }

  /** How high a row is on the stage: all of them are seen, and they fill it. */
  function filling(M, fit, under) {
    const top = M.title + (Math.min(fit, 160) > M.names + 6 ? M.flatTop : M.slantTop);
    return Math.max(0.5, Math.min(120, (scroll.clientHeight - top - under - 7) / n));
  }

  function draw(context, L, scale) {
    const style = getComputedStyle(root),
      ink = style.color;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, L.width, L.height);
    context.imageSmoothingEnabled = false;
    if (closed) hatch(context, ink, L.left, L.top, L.w * m, L.h * n);
    context.drawImage(fitting(L), L.left, L.top, L.w * m, L.h * n);
    context.fillStyle = context.strokeStyle = ink;
    context.globalAlpha = 0.25; // a cell without anything in it has no edge of its own
    context.strokeRect(L.left - 0.5, L.top - 0.5, L.w * m + 1, L.h * n + 1);
    context.globalAlpha = 1;
    const { size } = stage;
    context.font = `${size}px ${codeFont()}`;
    context.textBaseline = "middle";
    const every = (size, room) => Math.max(1, Math.ceil(room / size));
    const rowStep = every(L.h, size * 1.02),
      columnStep = every(L.w, L.flat ? 1 : size * 1.23);
    context.textAlign = "right";
    rows.forEach((row, i) => {
      if (i % rowStep && !(at && at[0] === i)) return;
      context.globalAlpha = at && at[0] !== i ? 0.62 : 1;
      if (at && rowStep > 1 && at[0] !== i && Math.abs(at[0] - i) < rowStep) return;
      context.fillText(shorten(row, 14), L.left - 7, L.top + (i + 0.5) * L.h, L.left - L.title - 8);
      if (data.newRows && i >= n - data.newRows)
        context.fillRect(L.left - 4, L.top + i * L.h + 1, 2, Math.max(1, L.h - 2));
    });
    columns.forEach((column, j) => {
      if (j % columnStep && !(at && at[1] === j)) return;
      if (at && columnStep > 1 && at[1] !== j && Math.abs(at[1] - j) < columnStep) return;
      context.globalAlpha = at && at[1] !== j ? 0.62 : 1;
      context.save();
      context.translate(L.left + (j + 0.5) * L.w, L.top - 7);
      if (L.flat) {
        context.textAlign = "center";
        context.textBaseline = "bottom";
      } else {
        context.rotate(-Math.PI / 2.6);
        context.textAlign = "left";
      }
      context.fillText(shorten(column, 11), 0, 0);
      context.restore();
    });
    context.globalAlpha = 0.72;
    if (data.titles) {
      context.font = `${size}px ${style.getPropertyValue("--st-font") || "sans-serif"}`;
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.fillText(data.names[1], L.left + Math.min(L.w * m, scroll.clientWidth - L.left) / 2, L.title / 2);
      context.save();
      context.translate(L.title / 2, L.top + Math.min(L.h * n, (scroll.clientHeight || 700) - L.top) / 2);
      context.rotate(-Math.PI / 2);
      context.fillText(data.names[0], 0, 0);
      context.restore();
      context.font = `${size}px ${codeFont()}`;
    }
    context.globalAlpha = 1;
    if (writes(L)) {
      context.textAlign = "center";
      for (let i = 0; i < n; i++)
        for (let j = 0; j < m; j++) {
          const v = values[i * m + j];
          if (!Number.isFinite(v)) continue;
          context.fillStyle = inkOn(v);
          context.fillText(brief(v, 3), L.left + (j + 0.5) * L.w, L.top + (i + 0.5) * L.h);
        }
    }
    const outline = ([i, j], colour, width, apart = 0) => {
      context.strokeStyle = colour;
      context.lineWidth = width;
      const x = L.left + (j < 0 ? 0 : j) * L.w - apart,
        y = L.top + (i < 0 ? 0 : i) * L.h - apart;
      context.beginPath();
      context.roundRect(x, y, (j < 0 ? L.w * m : L.w) + 2 * apart, (i < 0 ? L.h * n : L.h) + 2 * apart, apart);
      context.stroke();
    };
    if (data.selected) outline(data.selected, accent, 3);
    if (at && !stage.presents) outline(at, locked ? accent : ink, locked ? 3 : 1.5);
    if (at && stage.presents) outline(at, accent, RING, Math.max(RING, 14 - Math.min(L.w, L.h) / 2));
    if (data.curve) curve(context, L, ink);
  }

  const inkOn = (v) => {
    const [r, g, b] = shade(v);
    return r * 0.299 + g * 0.587 + b * 0.114 > 118 ? "#111" : "#fff";
  };

  /** Whether there is room for numbers in the cells. */
  const writes = (L) => data.written && L.w >= 3.1 * stage.size && L.h >= 1.5 * stage.size;

  /** The row that is pointed at, or else the one chosen, as a curve under its columns. */
  function curve(context, L, ink) {
    const row = at ? at[0] : data.selected && data.selected[0] >= 0 ? data.selected[0] : 0;
    const top = L.top + L.h * n + stage.size * 1.85,
      tall = L.under - stage.size * 2.6,
      up = (v) => top + tall * (1 - (v - low) / (high - low || 1));
    context.strokeStyle = context.fillStyle = ink;
    context.lineWidth = 1;
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.globalAlpha = 0.72;
    for (const v of low < 0 ? [low, 0, high] : [low, high]) context.fillText(brief(v, 2), L.left - 7, up(v));
    context.globalAlpha = 0.3;
    for (const v of low < 0 ? [low, 0, high] : [low, high]) {
      context.beginPath();
      context.moveTo(L.left, up(v));
      context.lineTo(L.left + L.w * m, up(v));
      context.stroke();
    }
    context.globalAlpha = 1;
    context.textAlign = "left";
    context.fillText(`${data.names[0]} ${rows[row]}`, L.left + 4, top - stage.size * 0.8);
    context.strokeStyle = context.fillStyle = accent;
    context.lineWidth = 2;
    context.beginPath();
    for (let j = 0; j < m; j++) context[j ? "lineTo" : "moveTo"](L.left + (j + 0.5) * L.w, up(values[row * m + j]));
    context.stroke();
    if (at) {
      context.beginPath();
      context.arc(L.left + (at[1] + 0.5) * L.w, up(values[row * m + at[1]]), 4, 0, 7);
      context.fill();
    }
  }

  function paint() {
    root.frame = null;
    stage = stageOf(root);
    grounded();
    const L = (root.layout = layout()),
      scale = window.devicePixelRatio || 1;
    canvas.style.width = `${L.width}px`;
    canvas.style.height = `${L.height}px`;
    canvas.width = L.width * scale;
    canvas.height = L.height * scale;
    draw(canvas.getContext("2d"), L, scale);
    canvas.dataset.shape = `${n} × ${m}`;
    root.querySelector(".zoom").hidden = !(data.tools && (L.fit < 12 || zoom.value > 0 || L.h < 12));
  }
  const later = () => {
    if (!root.frame) root.frame = requestAnimationFrame(paint);
  };

  function tell() {
    if (!at) {
      told.textContent = data.hint ? data.words.hint : "";
      return;
    }
    const [i, j] = at,
      v = values[i * m + j],
      note = data.notes ? ` · ${data.notes[i][j]}` : "";
    const fresh = data.newRows && i >= n - data.newRows ? ` (${data.words.new})` : "";
    told.replaceChildren(
      `${data.names[0]} `,
      element("b", { class: "mono" }, rows[i]),
      `${fresh} · ${data.names[1]} `,
      element("b", { class: "mono" }, columns[j]),
      " · ",
      ...(Number.isFinite(v) ? [`${data.names[2]} `, element("b", {}, brief(v, 4)), note] : [data.empty || "–"]),
    );
  }
  function move(cell) {
    if (same(cell, at)) return;
    at = root.cursor = cell;
    tell();
    later();
  }
  function cellOf(event) {
    const box = canvas.getBoundingClientRect(),
      L = root.layout;
    const j = Math.floor((event.clientX - box.left - L.left) / L.w),
      i = Math.floor((event.clientY - box.top - L.top) / L.h);
    return i >= 0 && j >= 0 && i < n && j < m ? [i, j] : null;
  }
  const same = (one, other) => one && other && one[0] === other[0] && one[1] === other[1];
  /** What is locked stays marked, with its sentence, whatever is pointed at. */
  function lock(cell) {
    locked = root.locked = cell;
    canvas.dataset.locked = cell ? cell.join(" ") : "";
    later();
  }
  const click = () => {
    if (at && data.clickable) setTriggerValue("clicked", { row: at[0], column: at[1], at: Date.now() });
    else if (!data.clickable) lock(same(at, locked) ? null : at);
  };
  canvas.style.cursor = data.clickable ? "pointer" : "crosshair";
  canvas.onmousemove = (event) => locked || move(cellOf(event));
  canvas.onmouseleave = () => locked || move(null);
  canvas.onclick = (event) => {
    move(cellOf(event));
    click();
  };
  onEscape(root, () => {
    if (!locked) return false;
    lock(null);
    return true;
  });
  canvas.onkeydown = (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (step) {
      const [i, j] = at || [0, 0];
      move(at ? [Math.max(0, Math.min(n - 1, i + step[0])), Math.max(0, Math.min(m - 1, j + step[1]))] : [0, 0]);
      if (locked) lock(at);
    } else if (event.key === "Enter") click();
    else return;
    event.preventDefault();
  };
  zoom.oninput = later;
  root.querySelector(".zoom span").textContent = data.words.zoom;
  const [unit, first, , last] = root.querySelector(".legend").children;
  unit.textContent = data.names[2];
  first.textContent = brief(low, 3);
  last.textContent = brief(high, 3);
  root.querySelector(".closed").hidden = !(closed && data.empty);
  root.querySelector(".closed b").textContent = data.empty;

  function svg() {
    const L = root.layout,
      ink = themed(root)[0],
      { size } = stage,
      lines = [];
    const text = (x, y, words, more) =>
      lines.push(`<text x="${x}" y="${y}" fill="${ink}" ${more}>${safe(words)}</text>`);
    if (closed) lines.push(svgHatch(ink, L.left, L.top, L.w * m, L.h * n));
    lines.push(
      `<image x="${L.left}" y="${L.top}" width="${L.w * m}" height="${L.h * n}" preserveAspectRatio="none" style="image-rendering:pixelated" href="${fitting(L).toDataURL()}"/>`,
    );
    lines.push(
      `<rect x="${L.left - 0.5}" y="${L.top - 0.5}" width="${L.w * m + 1}" height="${L.h * n + 1}" fill="none" stroke="${ink}" stroke-opacity="0.25"/>`,
    );
    const rowStep = Math.max(1, Math.ceil((size * 1.02) / L.h)),
      columnStep = L.flat ? 1 : Math.max(1, Math.ceil((size * 1.23) / L.w));
    rows.forEach(
      (r, i) =>
        i % rowStep ||
        text(L.left - 7, L.top + (i + 0.5) * L.h + 4, shorten(r, 14), `text-anchor="end" font-size="${size}"`),
    );
    columns.forEach(
      (c, j) =>
        j % columnStep ||
        text(
          0,
          0,
          shorten(c, 11),
          `transform="translate(${L.left + (j + 0.5) * L.w},${L.top - 7}) ${L.flat ? "" : "rotate(-69)"}" font-size="${size}" text-anchor="${L.flat ? "middle" : "start"}"`,
        ),
    );
    if (writes(L))
      values.forEach(
        (v, k) =>
          Number.isFinite(v) &&
          lines.push(
            `<text x="${L.left + ((k % m) + 0.5) * L.w}" y="${L.top + (Math.floor(k / m) + 0.5) * L.h + 4}" font-size="${size}" text-anchor="middle" fill="${inkOn(v)}">${brief(v, 3)}</text>`,
          ),
      );
    if (data.titles) {
      const sans = `font-size="${size}" text-anchor="middle" font-family="sans-serif"`;
      text(L.left + (L.w * m) / 2, size, data.names[1], sans);
      text(0, 0, data.names[0], `${sans} transform="translate(${size},${L.top + (L.h * n) / 2}) rotate(-90)"`);
    }
    if (data.curve) {
      const row = data.selected && data.selected[0] >= 0 ? data.selected[0] : 0,
        top = L.top + L.h * n + size * 1.85,
        tall = L.under - size * 2.6;
      const points = columns.map(
        (_, j) => `${L.left + (j + 0.5) * L.w},${top + tall * (1 - (values[row * m + j] - low) / (high - low || 1))}`,
      );
      lines.push(`<polyline fill="none" stroke="${accent}" stroke-width="2" points="${points.join(" ")}"/>`);
      text(L.left + 4, top - 6, `${data.names[0]} ${rows[row]}`, `font-size="${size}"`);
    }
    return [svgFile(root, lines.join(""), L.width, L.height), L.width, L.height];
  }
  const numbers = saveNumbers(data.file, rows, columns, values);
  root.querySelector(".buttons").replaceChildren(...(data.tools ? saveButtons(data.file, svg, numbers) : []));
  lock(locked);
  tell();
  paint();
  onResize(root, scroll, later);
  return () => {
    root.watcher.disconnect();
    root.endEscape();
    cancelAnimationFrame(root.frame);
  };
});
