// One picture of a model: from the tokens through every layer to the likeliest next tokens, alive or played over the steps.
// The server gives frames; all else happens here, and only what the person settles on is told.
const SETTLED = 400; // ms after the last change of what is pinned or open
const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export default register(function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  const ui = root.ui || (root.ui = build(root));
  ui.data = data;
  ui.send = setStateValue;
  const changed = take(ui, data);
  if (ui.sides[0].length) {
    dress(ui);
    if (changed) compose(ui);
    ui.fit();
    ui.draw();
  }
  onEscape(root, () => ui.opened && (ui.open(""), true));
  onResize(root, ui.living, () => ui.sides[0].length && (ui.fit(), ui.draw()));
  return () => {
    ui.end();
    root.watcher?.disconnect();
    root.endEscape?.();
    root.ui = null;
    root.replaceChildren();
  };
});

/** The parts that stay, and what can be done with them. */
function build(root) {
  const ui = { root, sides: [[]], taken: [], pinned: [], opened: "", tiles: [], drawn: 0, arrivals: [], align: null };
  ui.status = element("div", { class: "status" });
  ui.hold = element("button", { type: "button", class: "act hold", onclick: () => hold(ui) });
  ui.others = element("select", {
    class: "others",
    onchange: () => (ui.open(ui.others.value), (ui.others.value = "")),
  });
  ui.legend = element("div", { class: "legend" });
  ui.pins = element("div", { class: "pins", role: "group", hidden: true });
  ui.pictures = element("div", { class: "pictures" });
  ui.openedParts = openedOf(ui);
  ui.told = element("p", { class: "told-line" });
  ui.caption = element("p", { class: "caption" });
  ui.clock = new Clock(() => ui.draw());
  ui.timeline = timelineOf(ui);
  ui.living = element(
    "div",
    { class: "living" },
    element("div", { class: "head" }, ui.status, ui.legend, ui.others, ui.hold),
    ui.pins,
    element("div", { class: "body" }, ui.pictures, ui.openedParts.node),
    ui.told,
    ui.timeline.node,
    ui.caption,
  );
  root.replaceChildren(ui.living);
  act(ui);
  return ui;
}

/** What a hand does: draw once per picture of the screen, open, pin, point. */
function act(ui) {
  ui.draw = () => (ui.asked ||= requestAnimationFrame((time) => ((ui.asked = 0), paint(ui, time))));
  ui.fit = () => fitPictures(ui);
  ui.tell = (text) => {
    if (ui.told.textContent !== text) ui.told.textContent = text;
  };
  ui.open = (key) => {
    if (key && ui.opened === "") ui.from = ui.root.getRootNode().activeElement;
    ui.opened = key;
    dressOpened(ui);
    if (key) ui.openedParts.close.focus({ preventScroll: true });
    else ui.from?.focus?.({ preventScroll: true });
    ui.draw();
    settle(ui);
  };
  ui.pin = (key) => {
    ui.pinned = ui.pinned.includes(key) ? ui.pinned.filter((each) => each !== key) : [...ui.pinned, key];
    composePins(ui);
    dressOpened(ui);
    ui.fit();
    ui.draw();
    settle(ui);
  };
  ui.now = (side) => nowOf(ui, side);
  ui.scaleSaid = (scale) => {
    const { words } = ui.data;
    return scale.signed ? `${words.largest} ${exact(scale.largest)}` : words.share;
  };
  ui.point = (key, row, column, side) => ui.tell(pointed(ui, key, row, column, side));
  ui.leave = () => {
    ui.tell(ui.data.compact ? "" : ui.data.words.hint);
    light(ui, []);
  };
  const space = (event) => {
    if (event.detail !== " " || ui.data?.mode !== "timeline") return;
    event.preventDefault();
    ui.clock.play();
  };
  document.addEventListener("playground:key", space);
  ui.end = () => {
    document.removeEventListener("playground:key", space);
    cancelAnimationFrame(ui.asked);
    clearTimeout(ui.settling);
  };
}

function settle(ui) {
  clearTimeout(ui.settling);
  ui.settling = setTimeout(() => {
    ui.settling = 0;
    for (const what of ["pinned", "opened"]) {
      const now = JSON.stringify(ui[what]);
      if (ui.told_of?.[what] === now) continue;
      (ui.told_of ||= {})[what] = now;
      ui.send(what, ui[what]);
    }
  }, SETTLED);
}

/** Takes what the server gave; says whether the picture has to be made anew. */
function take(ui, data) {
  const given = JSON.stringify([data.pinned, data.opened]);
  if (ui.given !== given && !ui.settling) {
    ui.given = given;
    ui.pinned = [...data.pinned];
    ui.opened = data.opened;
    ui.told_of = { pinned: JSON.stringify(ui.pinned), opened: JSON.stringify(ui.opened) };
  }
  if (ui.align === null || ui.given_align !== data.align) ui.align = ui.given_align = data.align;
  const bytes = [...data.frames, "|", ...data.second];
  const same = bytes.length === ui.taken.length && bytes.every((each, index) => each === ui.taken[index]);
  if (!same) {
    ui.taken = bytes;
    ui.scales = null;
    if (data.mode === "live") live(ui, data.frames);
    else play(ui, data);
  }
  return hasChanged(ui);
}

/** Whether what is drawn has other parts than what was drawn: of a picture that is held, what is held counts. */
function hasChanged(ui) {
  const { data } = ui;
  const structure = JSON.stringify([
    ui.sides.map(([...frames]) => shapeOf((data.mode === "live" && ui.held) || frames[frames.length - 1])),
    data.compact,
    data.words.step,
    data.names,
  ]);
  const changed = structure !== ui.structure;
  ui.structure = structure;
  return changed;
}

const shapeOf = (frame) =>
  frame && [
    Object.entries(frame.tensors).map(([name, { shape }]) => [name, shape]),
    frame.about.kind.startsWith("weights"),
    frame.about.pieces,
    frame.about.source_pieces,
  ];

/** The frames that can be read; of others it is said that they are damaged, and the picture goes on without them. */
function readAll(ui, sources) {
  return sources.flatMap((source) => {
    try {
      return [readFrame(source)];
    } catch {
      ui.tell(ui.data.words.damaged);
      return [];
    }
  });
}

/** Frames to be played; the first look is at the last of them. */
function play(ui, { frames, second }) {
  const isNew = ui.sides[0].length !== frames.length;
  const other = readAll(ui, second);
  ui.sides = [readAll(ui, frames), ...(other.length ? [other] : [])];
  if (isNew) ui.clock.at = Math.max(0, ui.sides[0].length - 1);
}

function live(ui, frames) {
  for (const each of readAll(ui, frames)) {
    remember(ui.sides[0], each);
    ui.arrivals.push(performance.now());
  }
  ui.sides = [ui.sides[0]];
  ui.arrivals = ui.arrivals.slice(-12).filter((at) => at > performance.now() - 6000);
}

/** Holds the picture still, and only the picture: training goes on. */
function hold(ui) {
  const { sides } = ui;
  ui.held = ui.held ? null : sides[0][sides[0].length - 1];
  ui.scales = null;
  dress(ui);
  if (hasChanged(ui)) {
    compose(ui);
    ui.fit();
  }
  ui.draw();
}

/** What is drawn of a side: { frame: whose numbers are told, next and mix: whose colours are mixed in }. */
function nowOf(ui, side) {
  const frames = ui.sides[side];
  if (ui.data.mode === "live") return { frame: ui.held || frames[frames.length - 1], mix: 0 };
  const { at, last } = ui.clock,
    low = Math.min(Math.floor(at + 1e-6), last),
    own = ui.sides[0],
    index = Math.min(last, Math.round(at));
  const of = (i) => (side ? frames[alignedTo(frames, own[i].about, ui.align)] : frames[i]);
  const mix = calm() ? 0 : at - low;
  if (mix < 0.005 || low >= last) return { frame: of(index), from: of(index), mix: 0 };
  return { frame: of(index), from: of(low), next: of(low + 1), mix };
}

/** Words and buttons, as they are in this language and mode. */
function dress(ui) {
  const { data } = ui,
    { words } = data,
    isLive = data.mode === "live";
  ui.living.classList.toggle("compact", data.compact);
  ui.living.style.setProperty("--colour", data.colour);
  ui.living.classList.toggle("two", ui.sides.length > 1);
  ui.hold.hidden = !isLive;
  ui.hold.textContent = ui.held ? words.resume : words.hold;
  ui.hold.setAttribute("aria-pressed", String(Boolean(ui.held)));
  ui.timeline.node.hidden = isLive;
  ui.pins.setAttribute("aria-label", words.pinned);
  const mixed = isLive || calm() || data.compact ? "" : ` ${words.mixed}`;
  ui.caption.textContent = data.caption + mixed;
  ui.caption.hidden = data.compact;
  ui.others.setAttribute("aria-label", words.others);
  const newest = ui.sides[0][ui.sides[0].length - 1];
  ui.colours = null;
  ui.scales ||= new Scales(isLive ? [ui.held || newest] : ui.sides.flat(), isLive);
  if (!isLive) ui.timeline.update();
}

/** The picture of every side, and the list of what is not in it. */
function compose(ui) {
  const { words } = ui.data;
  ui.tiles = [];
  ui.strips = [];
  ui.pictures.replaceChildren(...ui.sides.map((_, side) => pictureOf(ui, side)));
  ui.pictures.onkeydown = (event) => rove(ui, event);
  const first = ui.tiles[0];
  if (first) first.node.tabIndex = 0;
  const names = keysOf(ui.now(0).frame);
  ui.others.replaceChildren(
    element("option", { value: "" }, words.others),
    ...names.map((key) => element("option", { value: key }, titleOf(key, ui.now(0).frame, words))),
  );
  composePins(ui);
  dressOpened(ui);
}

function pictureOf(ui, side) {
  const { words, names } = ui.data,
    { frame } = ui.now(side),
    lanes = lanesOf(frame);
  ui.strips[side] = {};
  const step = element("div", { class: "step" });
  const likeliest = element("section", { class: "likeliest" });
  const node = element(
    "section",
    { class: "picture", "aria-label": names[side] || words.picture },
    ...(ui.sides.length > 1 ? [element("h4", {}, element("span", {}, names[side] || ""), step)] : []),
    element(
      "div",
      { class: "flow" },
      element("div", { class: "lanes" }, ...lanes.map((lane) => laneOf(ui, side, frame, lane))),
      likeliest,
    ),
  );
  Object.assign(node, { step, likeliest });
  sayLikeliest(ui, likeliest, frame); // its height counts when the sizes are chosen
  return node;
}

function laneOf(ui, side, frame, lane) {
  const { words } = ui.data,
    pieces = isOfWeights(frame) ? null : lane.side === "encoder" ? frame.about.source_pieces : frame.about.pieces;
  const strip = (pieces || []).map((piece) => element("span", {}, visible(piece)));
  ui.strips[side][lane.side] = strip;
  const said = lane.side ? words[lane.side] : words.tokens;
  const node = element(
    "div",
    { class: "lane" },
    ...(strip.length
      ? [
          element(
            "div",
            { class: "tokens mono", tabindex: 0, role: "group", "aria-label": said },
            ...(lane.side ? [element("b", {}, words[lane.side])] : []),
            ...strip,
          ),
        ]
      : []),
    ...lane.rows.map((row) => rowOf(ui, side, row)),
  );
  node.lane = lane;
  return node;
}

function rowOf(ui, side, row) {
  const { words } = ui.data,
    only = row.layer === null && row.groups.length === 1 ? row.groups[0] : null;
  const label = row.layer !== null ? words.layer.replace("{n}", row.layer) : only ? wordsOf(only.part, words, 1) : "";
  const name = element(
    "div",
    { class: "label" },
    element("span", { class: "long" }, label),
    element("span", { class: "brief" }, row.layer ?? ""),
  );
  const scale = element("span", { class: "faint range" });
  if (only) name.firstChild.append(" ", scale);
  const node = element(
    "div",
    { class: `row ${only ? "single" : ""}` },
    name,
    ...row.groups.map((group) => {
      const title = element(
        "div",
        { class: "title" },
        wordsOf(group.part, words, 1),
        " ",
        element("span", { class: "faint range" }),
      );
      const cells = element(
        "div",
        { class: "cells" },
        ...group.keys.map((key) => tileOf(ui, side, key, group.form, row.layer).node),
      );
      const made = element("div", { class: `group ${group.form}` }, title, cells);
      Object.assign(made, { group, ranges: [title.lastChild, ...(only ? [scale] : [])] });
      title.title = wordsOf(group.part, words);
      return made;
    }),
  );
  node.single = Boolean(only);
  return node;
}

/** A small map that can be pointed at, opened and pinned. */
function tileOf(ui, side, key, form, layer, pin = false) {
  const canvas = element("canvas", { "aria-hidden": "true" });
  const node = element("button", { type: "button", class: `tile ${form}`, tabindex: -1 }, canvas);
  const tile = { node, canvas, key, form, side, layer, pin, turned: form === "tape", wide: 128, high: 128 };
  const { frame } = ui.now(side);
  node.setAttribute("aria-label", titleOf(key, frame, ui.data.words));
  node.dataset.key = key;
  node.onclick = (event) => (event.shiftKey ? ui.pin(key) : ui.open(key));
  node.onpointermove = (event) => pointAt(ui, tile, event);
  node.onpointerleave = () => ui.leave();
  node.onfocus = () => node.matches(":focus-visible") && ui.tell(summary(ui, tile));
  node.onblur = () => ui.leave();
  ui.tiles.push(tile);
  return tile;
}

/** The arrow keys go from tile to tile; P pins. */
function rove(ui, event) {
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 },
    tiles = ui.tiles.filter((tile) => !tile.pin),
    at = tiles.findIndex((tile) => tile.node === event.target);
  if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key.toLowerCase() === "p") ui.pin(tiles[at].key);
  else if (steps[event.key]) {
    let to = at + steps[event.key];
    const isUp = event.key === "ArrowUp" || event.key === "ArrowDown"; // to the same part of another layer
    while (isUp && tiles[to] && scaleName(tiles[to].key) !== scaleName(tiles[at].key)) to += steps[event.key];
    if (!tiles[to]) return;
    tiles[at].node.tabIndex = -1;
    tiles[to].node.tabIndex = 0;
    tiles[to].node.focus();
  } else return;
  event.preventDefault();
  event.stopPropagation();
}

function composePins(ui) {
  const { words } = ui.data;
  ui.tiles = ui.tiles.filter((tile) => !tile.pin);
  ui.pins.hidden = !ui.pinned.length;
  const { frame } = ui.now(0);
  ui.pins.replaceChildren(
    ...ui.pinned.map((key) => {
      const [name] = splitKey(key),
        { part } = placeOf(name),
        form =
          frame.tensors[name] &&
          !isOfWeights(frame) &&
          /gates\.|cell$|(^|\.)hidden$|embeddings/.test(part) &&
          !/mlp/.test(part)
            ? "tape"
            : "map";
      const tile = tileOf(ui, 0, key, form, null, true);
      tile.node.tabIndex = 0;
      const title = titleOf(key, frame, words);
      const away = element(
        "button",
        {
          type: "button",
          class: "away",
          "aria-label": `${words.unpin}: ${title}`,
          title: words.unpin,
          onclick: () => ui.pin(key),
        },
        "×",
      );
      return element(
        "div",
        { class: `pin ${form}` },
        element("div", { class: "pin-title" }, element("span", { title }, title), away),
        tile.node,
      );
    }),
  );
}

/** Which number lies under the pointer. */
function pointAt(ui, tile, event) {
  const box = tile.canvas.getBoundingClientRect(),
    x = Math.max(0, Math.min(0.9999, (event.clientX - box.left) / box.width)),
    y = Math.max(0, Math.min(0.9999, (event.clientY - box.top) / box.height)),
    { frame } = ui.now(tile.side),
    slice = sliceOf(frame, tile.key);
  if (!slice) return;
  if (tile.form === "norms") return pointAtNorm(ui, tile, Math.floor(x * slice.rows));
  const [row, column] = tile.turned ? [x, y] : [y, x];
  ui.point(tile.key, Math.floor(row * slice.rows), Math.floor(column * slice.columns), tile.side);
}

function pointAtNorm(ui, tile, row) {
  const { frame } = ui.now(tile.side),
    axes = axesOf(tile.key, frame, ui.data.words),
    { words } = ui.data;
  light(ui, [[tile.side, placeOf(tile.key).side, row, "row"]]);
  ui.tell(
    `${titleOf(tile.key, frame, words)} · ${tokenSaid(axes.rows, row, words)} · ${words.norm} ${exact(normsOf(frame, tile.key)[row])} · ‖${tile.key}[${row}]‖ · ${stepSaid(frame, words)}`,
  );
}

const tokenSaid = (pieces, index, words) =>
  pieces ? `“${visible(pieces[index])}” (${index})` : `${words.row} ${index}`;
const stepSaid = (frame, words) => `${words.step} ${frame.about.step.toLocaleString()}`;

/** A number, where it stands, and what it is called, in one line. */
function pointed(ui, key, row, column, side) {
  const { words } = ui.data,
    { frame } = ui.now(side),
    slice = sliceOf(frame, key);
  if (!slice || row >= slice.rows || column >= slice.columns) return "";
  const axes = axesOf(key, frame, words),
    [name, head] = splitKey(key),
    value = exact(slice.data[row * slice.columns + column]),
    place = slice.rank > 2 ? [head, row, column] : slice.rank > 1 ? [row, column] : [column];
  const at = [];
  if (slice.rank > 1) at.push(tokenSaid(axes.rows, row, words));
  at.push(axes.columns ? tokenSaid(axes.columns, column, words) : `${axes.names[1]} ${column}`);
  const own = placeOf(name).side,
    looked = placeOf(name).part.startsWith("cross") ? "encoder" : own;
  light(ui, [
    ...(axes.rows ? [[side, own, row, "row"]] : []),
    ...(axes.columns ? [[side, looked, column, "column"]] : []),
  ]);
  return `${titleOf(key, frame, words)} · ${at.join(axes.columns ? " → " : ", ")} = ${value} · ${name}[${place.join(", ")}] · ${stepSaid(frame, words)}`;
}

/** The tokens under the pointer, in the strip of the lane. */
function light(ui, which) {
  for (const span of ui.lit || []) span.classList.remove("row", "column");
  ui.lit = [];
  for (const [side, lane, index, how] of which) {
    const span = ui.strips[side]?.[lane]?.[index];
    if (!span) continue;
    span.classList.add(how);
    ui.lit.push(span);
  }
}

function summary(ui, tile) {
  const { words } = ui.data,
    { frame } = ui.now(tile.side),
    found = statsOf(frame, tile.key);
  if (!found) return "";
  const said = ["mean", "spread", "norm"].map(
    (which) => `${words[which]} ${exact(Number(found[which].toPrecision(4)))}`,
  );
  return `${titleOf(tile.key, frame, words)} · ${said.join(" · ")} · ${stepSaid(frame, words)}`;
}

/** Draws what has changed since the last picture of the screen. */
function paint(ui, time) {
  if (!ui.data || !ui.sides[0].length) return;
  if (ui.clock.tick(time)) ui.draw();
  if (!ui.colours || ui.ground !== themeOf(ui.root).back) {
    ui.ground = themeOf(ui.root).back;
    ui.colours = coloursOn(ui.ground, ui.data.scales);
    ui.living.style.colorScheme = isDark(ui.ground) ? "dark" : "light";
    ui.scales_said = null;
  }
  const now = ui.sides.map((_, side) => nowOf(ui, side));
  for (const tile of ui.tiles) {
    const at = now[tile.side];
    if (tile.form === "norms") paintNorms(tile.canvas, at.frame, tile.key, ui.scales.norms(tile.key), ui.data.colour);
    else {
      const shown = { frame: at.from || at.frame, next: at.next, mix: at.mix };
      paintMap(tile.canvas, shown, tile.key, ui.scales.of(tile.key), ui.colours, tile.wide, tile.high, tile.turned);
    }
  }
  ui.drawn++;
  ui.living.drawn = ui.drawn;
  say(ui, now);
  if (ui.opened) paintOpened(ui);
}

/** Steps, losses, the likeliest tokens: what stands in letters, where it changed. */
function say(ui, now) {
  const { words, mode } = ui.data,
    parts = [];
  const about = (frame) =>
    [
      stepSaid(frame, words),
      frame.about.kind !== "values" && words.kinds[frame.about.kind],
      Number.isFinite(frame.about.since) && words.since.replace("{step}", frame.about.since.toLocaleString("en")),
      Number.isFinite(frame.about.loss) && `${words.loss} ${frame.about.loss.toFixed(3)}`,
    ].filter(Boolean);
  parts.push(...about(now[0].frame));
  const { arrivals } = ui;
  if (mode === "live" && arrivals.length > 2) {
    const rate = (1000 * (arrivals.length - 1)) / (arrivals[arrivals.length - 1] - arrivals[0]);
    parts.push(words.rate.replace("{n}", rate.toFixed(1)));
  }
  const status = ui.sides.length > 1 ? words.kinds[now[0].frame.about.kind] || "" : parts.join(" · ");
  if (ui.status.textContent !== status) ui.status.textContent = status;
  [...ui.pictures.children].forEach((picture, side) => {
    const { frame } = now[side];
    if (picture.step && picture.shown !== frame) picture.step.textContent = about(frame).join(" · ");
    if (picture.shown !== frame) sayLikeliest(ui, picture.likeliest, frame);
    picture.shown = frame;
  });
  if (mode === "timeline") ui.timeline.show();
  if (ui.scales !== ui.scales_said) sayScales(ui);
}

function sayScales(ui) {
  ui.scales_said = ui.scales;
  let shares = false,
    signed = false;
  for (const made of ui.pictures.querySelectorAll(".group")) {
    const { group, ranges } = made,
      scale = group.form === "norms" ? ui.scales.norms(group.name) : ui.scales.of(group.keys[0]);
    const said = group.form === "norms" ? `≤ ${brief(scale.high)}` : scale.signed ? `±${brief(scale.high)}` : "0…1";
    for (const range of ranges) range.textContent = said;
    if (group.form !== "norms") scale.signed ? (signed = true) : (shares = true);
  }
  const bar = (which, low, high) => element("span", {}, low, element("i", { class: `ramp ${which}` }), high);
  ui.legend.replaceChildren(...(shares ? [bar("shares", "0", "1")] : []), ...(signed ? [bar("signed", "−", "+")] : []));
  keepInSight(ui);
  const { ground } = ui,
    scales = ui.data.scales;
  for (const which of ["shares", "signed"])
    ui.living.style.setProperty(
      `--${which}`,
      `linear-gradient(to right, ${onGround(scales[which], ground).join(", ")})`,
    );
}

/** The sixteen likeliest tokens as bars. */
function sayLikeliest(ui, node, frame) {
  const { words } = ui.data,
    { likeliest, pieces, architecture } = frame.about;
  node.hidden = !likeliest?.length;
  if (node.hidden) return;
  const hidden = pieces[frame.about.position] === "<mask>",
    title = architecture === "encoder" ? (hidden ? words.at_mask : words.at_last) : words.next;
  if (node.children.length !== 2)
    node.replaceChildren(
      element("button", { type: "button", class: "next", onclick: () => ui.open("logits") }),
      element("ol", { tabindex: 0 }),
    );
  const [head, list] = node.children;
  head.textContent = title;
  head.disabled = !frame.tensors.logits;
  list.setAttribute("aria-label", title);
  while (list.children.length < likeliest.length)
    list.append(element("li", {}, element("span", { class: "mono" }), element("i", {}), element("b", {})));
  while (list.children.length > likeliest.length) list.lastChild.remove();
  likeliest.forEach(([id, piece, probability], index) => {
    const item = list.children[index],
      [token, bar, number] = item.children;
    token.textContent = visible(piece);
    token.title = visible(piece);
    bar.style.setProperty("--share", probability);
    number.textContent = percent(probability);
    item.onpointerenter = () =>
      ui.tell(`“${visible(piece)}” · p = ${exact(probability)} · ${words.token} ${id} · ${stepSaid(frame, words)}`);
    item.onpointerleave = () => ui.leave();
  });
}
