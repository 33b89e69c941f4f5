// A matrix on a canvas: cells from a picture one pixel a cell, labels where there is room, a cursor for mouse and keys.
function floats(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

const SHADES = 257; // odd: the middle of a scale is one of them
const SEEN = 2.5; // pixels: the smallest cell that is seen
const CURVE = 140; // pixels under the picture
const shorten = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);

export default register(function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  const accent = getComputedStyle(root).getPropertyValue("--accent").trim();
  if (!root.querySelector("canvas")) {
    root.innerHTML = `<div class="tools"><span class="legend"><span></span><b></b><i></i><b></b></span><span class="legend closed"><i></i><b></b></span>
      <label class="zoom"><span></span><input type="range" min="0" max="100" value="0"></label><span class="buttons"></span></div>
      <div class="scroll"><canvas tabindex="0" role="img"></canvas></div><p class="told" aria-live="polite"></p>`;
  }
  const canvas = root.querySelector("canvas"),
    scroll = root.querySelector(".scroll"),
    told = root.querySelector(".told");
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
  const shade = (v) =>
    colours[Math.max(0, Math.min(SHADES - 1, Math.round(((SHADES - 1) * (v - low)) / (high - low || 1))))];

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
  let at = root.cursor && root.cursor[0] < n && root.cursor[1] < m ? root.cursor : null;
  cancelAnimationFrame(root.frame); // asked for by the call before: it would draw the former values over these
  root.frame = null;

  function layout() {
    const width = scroll.clientWidth || 600,
      longest = Math.max(1, ...rows.map((r) => Math.min(14, r.length)));
    const title = data.titles ? 20 : 0,
      left = title + Math.min(150, 14 + 8.2 * longest),
      fit = Math.max(1, (width - left - 12) / m);
    const free =
      data.cell ||
      Math.min(
        n < 9 ? 56 : 34,
        Math.max(
          n > 40 ? (data.curve ? 400 : 460) / n : 14,
          Math.min(fit, n < 9 ? 56 : 34, (data.curve ? 440 : 500) / n),
        ),
      );
    const grow = 1 + (zoom.value / 100) * Math.max(0, 26 / Math.min(fit, free) - 1);
    const w = Math.min(fit, data.cell ? fit : Math.max(fit > 90 ? 90 : fit, 0)) * grow,
      h = free * grow;
    const top = Math.min(98, 16 + 7.8 * Math.max(1, ...columns.map((c) => Math.min(11, c.length))));
    const flat = w > 9 * Math.max(1, ...columns.map((c) => Math.min(11, c.length)));
    const under = data.curve ? CURVE : 0,
      high = title + (flat ? 26 : top) + h * n;
    return {
      left,
      top: title + (flat ? 26 : top),
      w,
      h,
      fit,
      flat,
      title,
      width: Math.ceil(left + w * m + 12),
      height: Math.ceil(high + under + 6),
    };
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
    context.font = `13px ${style.getPropertyValue("--st-code-font") || "monospace"}`;
    context.textBaseline = "middle";
    const every = (size, room) => Math.max(1, Math.ceil(room / size));
    const rowStep = every(L.h, 13),
      columnStep = every(L.w, L.flat ? 1 : 16);
    context.textAlign = "right";
    rows.forEach((row, i) => {
      if (i % rowStep && !(at && at[0] === i)) return;
      context.globalAlpha = at && at[0] !== i ? 0.62 : 1;
      if (at && rowStep > 1 && at[0] !== i && Math.abs(at[0] - i) < rowStep) return;
      context.fillText(shorten(row, 14), L.left - 7, L.top + (i + 0.5) * L.h);
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
      context.font = `13px ${style.getPropertyValue("--st-font") || "sans-serif"}`;
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.fillText(data.names[1], L.left + Math.min(L.w * m, scroll.clientWidth - L.left) / 2, 9);
      context.save();
      context.translate(9, L.top + Math.min(L.h * n, 700 - L.top) / 2);
      context.rotate(-Math.PI / 2);
      context.fillText(data.names[0], 0, 0);
      context.restore();
      context.font = `13px ${style.getPropertyValue("--st-code-font") || "monospace"}`;
    }
    context.globalAlpha = 1;
    if (data.written && L.w >= 40 && L.h >= 20) {
      context.textAlign = "center";
      for (let i = 0; i < n; i++)
        for (let j = 0; j < m; j++) {
          const v = values[i * m + j];
          if (!Number.isFinite(v)) continue;
          const [r, g, b] = shade(v);
          context.fillStyle = r * 0.299 + g * 0.587 + b * 0.114 > 118 ? "#111" : "#fff";
          context.fillText(brief(v, 3), L.left + (j + 0.5) * L.w, L.top + (i + 0.5) * L.h);
        }
    }
    const outline = ([i, j], colour, width) => {
      context.strokeStyle = colour;
      context.lineWidth = width;
      const x = L.left + (j < 0 ? 0 : j) * L.w,
        y = L.top + (i < 0 ? 0 : i) * L.h;
      context.strokeRect(x, y, j < 0 ? L.w * m : L.w, i < 0 ? L.h * n : L.h);
    };
    if (data.selected) outline(data.selected, accent, 3);
    if (at) outline(at, ink, 1.5);
    if (data.curve) curve(context, L, ink);
  }

  /** The row that is pointed at, or else the one chosen, as a curve under its columns. */
  function curve(context, L, ink) {
    const row = at ? at[0] : data.selected && data.selected[0] >= 0 ? data.selected[0] : 0;
    const top = L.top + L.h * n + 24,
      tall = CURVE - 34,
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
    context.fillText(`${data.names[0]} ${rows[row]}`, L.left + 4, top - 10);
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
    grounded();
    const L = (root.layout = layout()),
      scale = window.devicePixelRatio || 1;
    canvas.style.width = `${L.width}px`;
    canvas.style.height = `${L.height}px`;
    canvas.width = L.width * scale;
    canvas.height = L.height * scale;
    draw(canvas.getContext("2d"), L, scale);
    canvas.dataset.shape = `${n} × ${m}`;
    root.querySelector(".zoom").style.visibility =
      data.tools && (L.fit < 12 || zoom.value > 0 || L.h < 12) ? "visible" : "hidden";
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
    if (cell && at && cell[0] === at[0] && cell[1] === at[1]) return;
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
  const click = () => at && data.clickable && setTriggerValue("clicked", { row: at[0], column: at[1], at: Date.now() });
  canvas.style.cursor = data.clickable ? "pointer" : "crosshair";
  canvas.onmousemove = (event) => move(cellOf(event));
  canvas.onmouseleave = () => move(null);
  canvas.onclick = (event) => {
    move(cellOf(event));
    click();
  };
  canvas.onkeydown = (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (step) {
      const [i, j] = at || [0, 0];
      move(at ? [Math.max(0, Math.min(n - 1, i + step[0])), Math.max(0, Math.min(m - 1, j + step[1]))] : [0, 0]);
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
      size = Math.min(13, Math.max(6, L.h)),
      lines = [];
    const text = (x, y, words, more) =>
      lines.push(`<text x="${x}" y="${y}" fill="${ink}" ${more}>${safe(words)}</text>`);
    if (closed) lines.push(svgHatch(ink, L.left, L.top, L.w * m, L.h * n));
    lines.push(
      `<image x="${L.left}" y="${L.top}" width="${L.w * m}" height="${L.h * n}" preserveAspectRatio="none" style="image-rendering:pixelated" href="${fitting(L).toDataURL()}"/>`,
    );
    const rowStep = Math.max(1, Math.ceil(13 / L.h)),
      columnStep = L.flat ? 1 : Math.max(1, Math.ceil(16 / L.w));
    rows.forEach(
      (r, i) =>
        i % rowStep ||
        text(
          L.left - 7,
          L.top + (i + 0.5) * L.h + 4,
          shorten(r, 14),
          `text-anchor="end" font-size="${Math.max(size, 11)}"`,
        ),
    );
    columns.forEach(
      (c, j) =>
        j % columnStep ||
        text(
          0,
          0,
          shorten(c, 11),
          `transform="translate(${L.left + (j + 0.5) * L.w},${L.top - 7}) ${L.flat ? "" : "rotate(-69)"}" font-size="13" text-anchor="${L.flat ? "middle" : "start"}"`,
        ),
    );
    if (data.written && L.w >= 40 && L.h >= 20)
      values.forEach(
        (v, k) =>
          Number.isFinite(v) &&
          lines.push(
            `<text x="${L.left + ((k % m) + 0.5) * L.w}" y="${L.top + (Math.floor(k / m) + 0.5) * L.h + 4}" font-size="13" text-anchor="middle" fill="#7f7f7f">${brief(v, 3)}</text>`,
          ),
      );
    if (data.titles) {
      text(L.left + (L.w * m) / 2, 13, data.names[1], 'font-size="13" text-anchor="middle" font-family="sans-serif"');
      text(
        0,
        0,
        data.names[0],
        `font-size="13" text-anchor="middle" font-family="sans-serif" transform="translate(13,${L.top + (L.h * n) / 2}) rotate(-90)"`,
      );
    }
    if (data.curve) {
      const row = data.selected && data.selected[0] >= 0 ? data.selected[0] : 0,
        top = L.top + L.h * n + 24,
        tall = CURVE - 34;
      const points = columns.map(
        (_, j) => `${L.left + (j + 0.5) * L.w},${top + tall * (1 - (values[row * m + j] - low) / (high - low || 1))}`,
      );
      lines.push(`<polyline fill="none" stroke=accent stroke-width="2" points="${points.join(" ")}"/>`);
      text(L.left + 4, top - 6, `${data.names[0]} ${rows[row]}`, 'font-size="13"');
    }
    return [svgFile(root, lines.join(""), L.width, L.height), L.width, L.height];
  }
  root.querySelector(".buttons").replaceChildren(...(data.tools ? saveButtons(data.file, svg) : []));
  tell();
  paint();
  root.watcher?.disconnect();
  let width = scroll.clientWidth;
  root.watcher = new ResizeObserver(() => {
    if (scroll.clientWidth !== width) {
      width = scroll.clientWidth;
      later();
    }
  });
  root.watcher.observe(scroll);
  return () => {
    root.watcher.disconnect();
    cancelAnimationFrame(root.frame);
  };
});
