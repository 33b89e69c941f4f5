// How large everything is: as large as the place allows, all layers in sight where that leaves maps that can be seen.
const LEAST = 26, // pixels: a row is never lower
  MOST = 112,
  GAP = 6,
  HEAD_GAP = 3;

/** Sets the sizes of all tiles. */
function fitPictures(ui) {
  const stage = stageOf(ui.root),
    { living, pictures } = ui,
    { compact } = ui.data,
    size = Math.max(13, stage.size);
  living.classList.toggle("narrow", living.clientWidth < 720 || compact);
  living.classList.toggle("short", ui.sides.length > 1 || pictures.querySelectorAll(".lane").length > 1);
  ui.timeline.label();
  const lanes = [...pictures.querySelectorAll(".lane")];
  if (!lanes.length || !living.clientWidth) return;
  for (const lane of lanes) lane.classList.remove("wrapped");
  const free = heightOf(ui, stage),
    tallest = compact ? 52 : stage.fills ? MOST * 1.8 : MOST;
  for (const lane of lanes) {
    const shares = [...lane.querySelectorAll(".row")].map((row) => widthIn([...row.querySelectorAll(".group")], 1));
    lane.style.flexGrow = Math.max(1, ...shares); // so that a map of one lane is as large as one of the other
  }
  const sizes = lanes.map((lane) => sizesOf(lane, size, heightFor(ui, lane, free), tallest));
  lanes.forEach((lane, index) => applySizes(ui, lane, sizes[index]));
  if (free !== Infinity) lanes.forEach((lane) => tighten(ui, lane, size, heightFor(ui, lane, free), tallest));
  wholeLines(ui, free);
  for (const tile of ui.tiles) {
    if (!tile.pin) continue;
    setPixels(tile);
  }
  ui.openedParts.map.painted = null;
  const pixels = ui.tiles.map(({ wide, high }) => `${wide} ${high}`).join();
  if (pixels === ui.pixels) return;
  ui.pixels = pixels;
  for (const frame of ui.sides.flat()) frame.shades.clear(); // those of another size are not needed again
}

/** What the picture may be high; Infinity where the page scrolls. */
const heightOf = (ui, stage) =>
  stage.fills && !ui.living.classList.contains("narrow") ? ui.pictures.clientHeight : Infinity;

/** After titles and lists have changed: all layers and whole lines are in sight again. */
function keepInSight(ui) {
  const free = heightOf(ui, stageOf(ui.root)),
    lanes = [...ui.pictures.querySelectorAll(".lane")];
  if (free === Infinity) return;
  if (lanes.some((lane) => lane.offsetHeight - heightFor(ui, lane, free) > 1)) {
    ui.fit();
    ui.draw();
  } else wholeLines(ui, free);
}

/** Once more, smaller, where titles that take two lines have pushed the last layers out of sight. */
function tighten(ui, lane, size, free, tallest) {
  for (let room = free, turn = 0; turn < 3 && lane.offsetHeight - free > 1; turn++) {
    room -= lane.offsetHeight - free;
    applySizes(ui, lane, sizesOf(lane, size, room, tallest));
  }
}

/** Beside a picture stand as many of the likeliest tokens as the place has whole lines for. */
function wholeLines(ui, free) {
  for (const list of ui.pictures.querySelectorAll(".likeliest ol")) {
    const lines = [...list.children],
      end = ui.pictures.getBoundingClientRect().bottom + 1;
    for (const line of lines) line.hidden = false;
    if (free === Infinity || ui.sides.length > 1) continue;
    const beyond = lines.map((line) => line.getBoundingClientRect().bottom > end);
    lines.forEach((line, index) => (line.hidden = beyond[index]));
  }
}

/** What a lane may have of a height: the likeliest tokens, and other lanes, may stand under it. */
function heightFor(ui, lane, free) {
  if (free === Infinity) return free;
  const picture = lane.closest(".picture"),
    head = picture.querySelector("h4")?.offsetHeight || 0;
  if (ui.sides.length < 2) return free - head;
  const lanes = [...picture.querySelectorAll(".lane")],
    all = lanes.reduce((sum, each) => sum + each.lane.rows.length, 0),
    under = Math.min(picture.querySelector(".likeliest").offsetHeight, free * 0.35);
  return (free - head - under - 40) * (lane.lane.rows.length / all);
}

function sizesOf(lane, size, free, tallest) {
  const rows = [...lane.querySelectorAll(".row")],
    tall = rows.filter((row) => !row.single).length + 0.6 * rows.filter((row) => row.single).length,
    label = lane.querySelector(".label")?.offsetWidth || 0,
    wide = lane.clientWidth - label - GAP;
  const strip = lane.querySelector(".tokens")?.offsetHeight || 0,
    titles = 2.6 * size;
  const high = (free - strip - titles - rows.length * GAP - 8) / tall;
  const units = (k) => Math.max(...rows.map((row) => widthIn([...row.querySelectorAll(".group")], k))),
    gaps = Math.max(...rows.map(gapsOf)),
    free_width = wide - gaps;
  if (!lane.querySelector(".heads")) {
    // Tapes alone are as wide as the place allows, whatever their height.
    if (free_width / units(1) < LEAST) return wrappedSizes(rows, lane.clientWidth, high, size, tallest);
    const row = Math.max(LEAST, Math.floor(Math.min(tallest, high)));
    return { row, k: 1, narrow: false, stretch: free_width / units(1) / row };
  }
  let best = null;
  for (const k of [1, 2, 3, 4]) {
    const row = Math.floor(Math.min(tallest, high, free_width / units(k)));
    if (!best || row / k > 1.2 * (best.row / best.k)) best = { row, k };
  }
  if (free_width / units(best.k) < LEAST) return wrappedSizes(rows, lane.clientWidth, high, size, tallest);
  best.row = Math.max(LEAST, best.row);
  return { ...best, narrow: false, stretch: stretchOf(rows, best, free_width) };
}

/** A layer on several lines, each part with its title: parts as wide as a few beside each other can be. */
function wrappedSizes(rows, wide, high, size, tallest) {
  const beside = Math.max(1, Math.min(4, Math.floor(wide / (size * 10)))),
    most = Math.max(...rows.map((row) => row.querySelectorAll(".group").length)),
    lines = Math.ceil(most / beside),
    row = Math.floor(Math.max(48, Math.min(MOST, tallest, (high - lines * (1.4 * size + GAP)) / lines)));
  return { row, k: 1, narrow: true, stretch: (wide / beside - GAP) / (row * WIDTHS.tape) };
}

const gapsOf = (row) => GAP * row.querySelectorAll(".group").length + HEAD_GAP * row.querySelectorAll(".tile").length;

/** How much wider all but the heads may be, so that a row fills its place. */
function stretchOf(rows, { row, k }, wide) {
  const most = rows.map((each) => {
    const groups = [...each.querySelectorAll(".group")],
      rest = groups.filter(({ group }) => group.form !== "heads"),
      heads = groups.filter(({ group }) => group.form === "heads");
    return rest.length && heads.length ? (wide - row * widthIn(heads, k)) / (row * widthIn(rest, k)) : 2;
  });
  return Math.max(1, Math.min(2, ...most));
}

/** The width of groups in heights of a row, with heads in k lines. */
const widthIn = (groups, k) =>
  groups.reduce(
    (sum, { group }) => sum + (group.form === "heads" ? Math.ceil(group.keys.length / k) / k : group.width),
    0,
  );

function applySizes(ui, lane, { row, k, narrow, stretch }) {
  lane.classList.toggle("wrapped", narrow);
  const wide = lane.clientWidth;
  for (const line of lane.querySelectorAll(".row")) {
    const high = line.single ? Math.max(LEAST, Math.round(row * 0.6)) : row;
    for (const made of line.querySelectorAll(".group")) {
      const { group } = made,
        isHeads = group.form === "heads",
        n = group.keys.length,
        beside = Math.max(LEAST, Math.floor((wide - HEAD_GAP * (n - 1)) / n)), // all in one line, where a layer has several
        side = !isHeads ? high : narrow ? Math.min(high, beside) : Math.floor((high - (k - 1) * HEAD_GAP) / k),
        columns = narrow ? Math.min(n, Math.floor((wide + HEAD_GAP) / (side + HEAD_GAP))) : Math.ceil(n / k),
        width = isHeads
          ? side
          : line.single
            ? Math.round(row * group.width * Math.max(1, Math.min(stretch, 3)))
            : Math.floor(row * group.width * stretch);
      made.style.setProperty("--high", `${side}px`);
      made.style.setProperty("--wide", `${width}px`);
      made.style.setProperty("--columns", isHeads ? columns : 1);
    }
  }
  for (const tile of ui.tiles) if (lane.contains(tile.node)) setPixels(tile);
}

/** No more pixels than the screen has: below that, each shows the largest of a few numbers. */
function setPixels(tile) {
  const ratio = window.devicePixelRatio || 1;
  tile.wide = Math.max(16, Math.ceil(tile.canvas.clientWidth * ratio));
  tile.high = Math.max(16, Math.ceil(tile.canvas.clientHeight * ratio));
}
