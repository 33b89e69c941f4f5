// One tensor, large and in place: its map with titled axes, and how it changed over the steps seen so far.
const CURVES = ["mean", "spread", "norm"];

function openedOf(ui) {
  const title = element("h4", {}),
    name = element("span", { class: "name mono faint" }),
    pin = element("button", { type: "button", class: "act", onclick: () => ui.pin(ui.opened) }),
    close = element("button", { type: "button", class: "act close", onclick: () => ui.open("") }),
    heads = element("div", { class: "heads-choice", role: "group" }),
    canvas = element("canvas", { role: "img" }),
    map = element("div", { class: "large" }, canvas),
    scale = element("p", { class: "scale" }),
    curves = CURVES.map((which) => ({
      which,
      told: element("span", {}),
      canvas: element("canvas", { "aria-hidden": "true" }),
    }));
  const node = element(
    "div",
    { class: "opened", hidden: true, role: "region" },
    element("div", { class: "opened-head" }, title, name, heads, pin, close),
    element(
      "div",
      { class: "opened-body" },
      element("div", { class: "opened-map" }, map, scale),
      element(
        "div",
        { class: "curves" },
        ...curves.map((each) => element("figure", {}, element("figcaption", {}, each.told), each.canvas)),
      ),
    ),
  );
  const parts = { node, title, name, pin, close, heads, canvas, map, scale, curves, close_at: null };
  canvas.onpointermove = (event) => {
    const at = cellAt(parts, event);
    if (at) ui.point(ui.opened, at.row, at.column, 0);
    else ui.leave();
  };
  canvas.onpointerleave = () => ui.leave();
  canvas.onclick = () => ui.open("");
  return parts;
}

/** The row and the column under the pointer. */
function cellAt({ canvas, frame: box }, event) {
  if (!box) return null;
  const at = canvas.getBoundingClientRect(),
    x = (event.clientX - at.left - box.x) / box.width,
    y = (event.clientY - at.top - box.y) / box.height;
  if (x < 0 || y < 0 || x >= 1 || y >= 1) return null;
  return { row: Math.floor(y * box.rows), column: Math.floor(x * box.columns) };
}

/** What changes only when another tensor is opened, or the words do. */
function dressOpened(ui) {
  const parts = ui.openedParts,
    { words } = ui.data,
    { frame } = ui.now(0),
    key = ui.opened,
    [name, head] = splitKey(key),
    tensor = frame.tensors[name];
  parts.node.hidden = !key;
  ui.pictures.classList.toggle("under", Boolean(key));
  ui.pictures.inert = Boolean(key);
  if (!key) return;
  parts.title.textContent = tensor ? titleOf(key, frame, words) : words.absent;
  parts.name.textContent = tensor?.shape.length > 2 ? `${name}[${head}]` : name;
  parts.close.textContent = words.close;
  parts.pin.textContent = ui.pinned.includes(key) ? words.unpin : words.pin;
  parts.node.setAttribute("aria-label", parts.title.textContent);
  parts.heads.setAttribute("aria-label", words.heads);
  const n = tensor?.shape.length > 2 ? tensor.shape[0] : 0;
  parts.heads.replaceChildren(
    ...Array.from({ length: n }, (_, index) =>
      element(
        "button",
        {
          type: "button",
          "aria-pressed": String(index === head),
          "aria-label": words.head.replace("{n}", index),
          onclick: () => ui.open(`${name}:${index}`),
        },
        String(index),
      ),
    ),
  );
  parts.map.painted = null;
}

function paintOpened(ui) {
  const parts = ui.openedParts,
    now = ui.now(0),
    key = ui.opened,
    slice = sliceOf(now.frame, key),
    theme = themeOf(ui.root);
  const state = `${now.frame.about.step} ${now.mix} ${key} ${parts.map.clientWidth} ${parts.map.clientHeight} ${theme.back} ${theme.letters} ${ui.sides[0].length}`;
  if (parts.map.painted === state) return;
  parts.map.painted = state;
  if (!slice) {
    prepareCanvas(parts.canvas, parts.map.clientWidth, parts.map.clientHeight);
    parts.frame = null;
  } else paintLarge(ui, parts, now, slice, theme);
  for (const each of parts.curves) paintCurve(ui, each, theme);
}

function paintLarge(ui, parts, now, slice, theme) {
  const key = ui.opened,
    { words } = ui.data,
    width = parts.map.clientWidth,
    height = parts.map.clientHeight,
    size = theme.letters;
  if (!width || !height) return;
  const axes = axesOf(key, now.frame, words),
    scale = ui.scales.of(key, true),
    g = prepareCanvas(parts.canvas, width, height);
  parts.canvas.setAttribute("aria-label", `${titleOf(key, now.frame, words)}, ${slice.rows} × ${slice.columns}`);
  g.font = `${size}px ${theme.font}`;
  const signs = axes.rows?.map((piece) => shortened(g, visible(piece), size * 6)),
    left = signs ? Math.max(...signs.map((sign) => g.measureText(sign).width)) + 8 : g.measureText("00000").width,
    below = axes.columns ? Math.min(size * 5, height * 0.25) : size * 1.5,
    room = { x: left, y: size * 1.6, width: width - left - 4, height: height - size * 1.6 - below - size * 1.5 };
  const square = axes.columns ? Math.min(room.width / slice.columns, room.height / slice.rows) : 0;
  const box = {
    ...room,
    width: square ? square * slice.columns : room.width,
    height: square ? square * slice.rows : room.height,
    rows: slice.rows,
    columns: slice.columns,
  };
  parts.frame = box;
  parts.small ||= document.createElement("canvas");
  parts.small.painted = null;
  paintMap(parts.small, now, key, scale, ui.colours, MOST_PIXELS, MOST_PIXELS, false);
  g.imageSmoothingEnabled = false;
  hatch(g, theme.text, box.x, box.y, box.width, box.height);
  g.fillStyle = theme.back;
  g.drawImage(parts.small, box.x, box.y, box.width, box.height);
  g.strokeStyle = theme.rule;
  g.strokeRect(box.x - 0.5, box.y - 0.5, box.width + 1, box.height + 1);
  paintAxes(g, axes, signs, box, size, theme);
  const [low, high] = [exact(scale.low), exact(scale.high)];
  parts.scale.replaceChildren(
    low,
    element("i", { class: `ramp ${scale.signed ? "signed" : "shares"}` }),
    high,
    element("span", { class: "faint" }, ui.scaleSaid(scale)),
  );
}

function paintAxes(g, axes, signs, box, size, theme) {
  g.fillStyle = theme.text;
  const tall = box.height / box.rows,
    wide = box.width / box.columns;
  g.textBaseline = "middle";
  g.textAlign = "right";
  const every = Math.max(1, Math.ceil((size * 1.05) / tall));
  for (let row = 0; row < box.rows; row += every)
    g.fillText(signs ? signs[row] : String(row), box.x - 5, box.y + (row + 0.5) * tall);
  const aside = Math.max(1, Math.ceil((size * (axes.columns ? 1.05 : 3.5)) / wide));
  for (let column = 0; column < box.columns; column += aside) {
    const x = box.x + (column + 0.5) * wide,
      y = box.y + box.height + 5;
    if (!axes.columns) {
      g.textAlign = "center";
      g.textBaseline = "top";
      g.fillText(String(column), x, y);
      continue;
    }
    g.save();
    g.translate(x, y);
    g.rotate(-Math.PI / 2);
    g.textAlign = "right";
    g.textBaseline = "middle";
    g.fillText(shortened(g, visible(axes.columns[column]), size * 4.5), 0, 0);
    g.restore();
  }
  g.globalAlpha = 0.8;
  g.textBaseline = "top";
  g.textAlign = "left";
  g.fillText(`↓ ${axes.names[0]}`, 2, 1);
  g.textAlign = "right";
  g.fillText(
    `${axes.names[1]} →`,
    Math.max(box.x + box.width, g.measureText(`${axes.names[1]} →`).width + 4),
    g.canvas.clientHeight - size * 1.25,
  );
  g.globalAlpha = 1;
}

/** One statistic over the steps seen, a dot at the step that is shown. */
function paintCurve(ui, { which, told, canvas }, theme) {
  const { words } = ui.data,
    frames = ui.sides[0],
    { frame } = ui.now(0),
    width = canvas.clientWidth,
    height = canvas.clientHeight,
    found = frames.map((each) => statsOf(each, ui.opened)?.[which] ?? null),
    steps = frames.map((each) => each.about.step),
    here = statsOf(frame, ui.opened)?.[which] ?? null;
  told.textContent = `${words[which]} ${here === null ? "–" : exact(Number(here.toPrecision(4)))}`;
  if (!width || !height) return;
  const g = prepareCanvas(canvas, width, height),
    range = rangeOf((each) => found.forEach(each));
  if (!range) return;
  const sx = makeScale(steps[0], steps[steps.length - 1], 6, width - 6, false),
    sy = makeScale(range[0], range[1], height - 6, 6, false);
  // What differs in its last digits alone, by rounding, is drawn as the same.
  const same = range[1] - range[0] <= 1e-3 * Math.max(Math.abs(range[0]), Math.abs(range[1]));
  const flat = same ? () => height / 2 : sy;
  g.strokeStyle = theme.rule;
  g.strokeRect(0.5, 0.5, width - 1, height - 1);
  g.strokeStyle = g.fillStyle = ui.data.colour;
  g.lineWidth = 2;
  strokeLine(g, steps, found, sx, flat);
  if (here === null) return;
  const x = steps.length > 1 ? sx(frame.about.step) : 6;
  g.globalAlpha = 0.5;
  g.lineWidth = 1;
  g.strokeStyle = theme.text;
  (g.beginPath(), g.moveTo(x, 2), g.lineTo(x, height - 2), g.stroke());
  g.globalAlpha = 1;
  (g.beginPath(), g.arc(x, flat(here), 4, 0, 7), g.fill());
}
