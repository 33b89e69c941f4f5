// Layers × heads of small pictures. A canvas a head; one square each, so that the eye can compare.
const SQUARE = 96; // pixels, where the page scrolls
const MENU = 72; // pixels: how high a row is that has room for its number and the menu
const READ = 2.4; // letters' sizes that a square is wide at least, for a name under it
const arrows = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** How high the names are that stand under the grid. */
const legendHeight = (root) => root.querySelector(".legend").offsetHeight;

/** How large the squares are on a stage, so that all of them and their names are seen. */
function fitting(root, layers, heads) {
  const stage = stageOf(root),
    grid = root.firstChild;
  if (!stage.fills) return { side: SQUARE, named: true };
  const wide = root.clientWidth - 8 - 1.7 * parseFloat(getComputedStyle(grid).fontSize),
    height = root.clientHeight - 8 - legendHeight(root),
    gap = Math.max(2, Math.min(8, wide / heads / 12));
  let line = 1.3 * Math.max(stage.size, 0.75 * parseFloat(getComputedStyle(root).fontSize)) + 3,
    width = wide;
  const of = (under) => Math.min(width / heads - gap, height / layers - gap - under);
  const beside = of(line) + line < MENU; // the menu stands above the layers' numbers, or else to the right of all
  if (beside) width -= MENU / 2;
  grid.classList.toggle("beside", beside);
  const labels = [...root.querySelectorAll(".label")];
  grid.style.setProperty("--side", `${of(line)}px`);
  grid.classList.remove("unnamed", "wrapped");
  const wrapped = labels.some((label) => label.scrollWidth > label.clientWidth) && of(2 * line) > 0.8 * of(line);
  if (wrapped) line *= 2; // a name that is too long for one line
  grid.classList.toggle("wrapped", wrapped);
  const named = of(line) >= READ * stage.size,
    side = Math.max(8, Math.floor(of(named ? line : 0)));
  grid.style.setProperty("--gap", `${gap}px`);
  grid.style.setProperty("--side", `${side}px`);
  return { side, named };
}

export default register(function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  const [layers, heads, r, c] = data.shape;
  const bytes = Uint8Array.from(atob(data.values), (x) => x.charCodeAt(0));
  const [ink, ground] = themed(root);
  const colours = new Uint32Array(
    new Uint8Array([0, 0, 0, 0, ...ramp(onGround(data.colours, ground), 255).flatMap(([r, g, b]) => [r, g, b, 255])])
      .buffer,
  ); // by byte; of 0, which is no value, none
  const shape = `${layers} ${heads}`;
  if (root.shape !== shape) {
    root.shape = shape;
    root.replaceChildren(
      element(
        "div",
        { class: "grid", role: "group", "aria-label": data.words.all, style: `--heads: ${heads}` },
        ...Array.from({ length: layers }, (_, layer) => [
          element("span", { class: "layer" }, String(layer)),
          ...Array.from({ length: heads }, () =>
            element(
              "button",
              { type: "button", class: "head" },
              element("canvas"),
              element("span", { class: "label" }),
            ),
          ),
        ]).flat(),
      ),
      element("div", { class: "legend" }),
      element("div", { class: "buttons" }),
    );
  }
  const buttons = [...root.querySelectorAll("button.head")],
    stroke = lineOn(root, data.colour);
  const [chosenLayer, chosenHead] = data.selected;

  const pixelled = document.createElement("canvas"),
    small = new ImageData(c, r),
    cells = new Uint32Array(small.data.buffer);
  pixelled.width = c;
  pixelled.height = r;

  /** One head's weights on its canvas, in units of a square. */
  function drawHead(canvas, index, pixels) {
    const start = index * r * c,
      context = canvas.getContext("2d");
    if (canvas.width !== pixels) canvas.width = canvas.height = pixels;
    context.setTransform(pixels / SQUARE, 0, 0, pixels / SQUARE, 0, 0);
    context.globalAlpha = 1;
    context.clearRect(0, 0, SQUARE, SQUARE);
    if (data.lines) return drawLines(context, start);
    for (let i = 0; i < r * c; i++) cells[i] = colours[bytes[start + i]];
    pixelled.getContext("2d").putImageData(small, 0, 0);
    if (cells.includes(0)) hatch(context, ink, 0, 0, SQUARE, SQUARE);
    context.imageSmoothingEnabled = false;
    context.drawImage(pixelled, 0, 0, SQUARE, SQUARE);
  }

  function drawLines(context, start) {
    context.strokeStyle = stroke;
    for (let i = 0; i < r; i++)
      for (let j = 0; j < c; j++) {
        const weight = (bytes[start + i * c + j] - 1) / 254;
        if (weight < 0.08) continue;
        context.globalAlpha = weight;
        context.beginPath();
        context.moveTo(8, 4 + (88 * (i + 0.5)) / r);
        context.lineTo(88, 4 + (88 * (j + 0.5)) / c);
        context.stroke();
      }
  }

  /** What a head is called, and what choosing it does. */
  function name(button, index) {
    const layer = Math.floor(index / heads),
      head = index % heads,
      called = `${data.words.layer} ${layer}, ${data.words.head} ${head}`;
    button.title = `${called}\n${data.tips[layer][head]}`;
    button.setAttribute("aria-label", `${called}. ${data.tips[layer][head]}`);
    const off = data.off.some(([l, h]) => l === layer && h === head);
    button.setAttribute("aria-pressed", String(off || (layer === chosenLayer && head === chosenHead)));
    button.classList.toggle("off", off);
    button.classList.toggle("named", Boolean(data.labels[layer][head]));
    button.onclick = () => choose(layer, head);
    button.onkeydown = (event) => {
      const step = arrows[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation(); // the page would go to another view
      const to = [layer + step[0], head + step[1]];
      if (to[0] < 0 || to[0] >= layers || to[1] < 0 || to[1] >= heads) return;
      buttons[to[0] * heads + to[1]].focus();
      if (chosenLayer >= 0) choose(...to);
    };
  }

  /** What stands under a head: what it does, if it has a name and there is room for that; else its number. */
  function label(button, index, room) {
    const layer = Math.floor(index / heads),
      head = index % heads;
    button.querySelector(".label").textContent = (room && data.labels[layer][head]) || `${layer}.${head}`;
  }
  const choose = (layer, head) => setTriggerValue("clicked", { layer, head, at: Date.now() });

  function paint() {
    const { fills, size } = stageOf(root);
    const state = JSON.stringify([fills, size, root.clientWidth, root.clientHeight, shape, data.labels]);
    if (root.fitted?.state !== state) root.fitted = { state, side: fit() }; // to measure names takes as long as to draw
    const pixels = Math.round(root.fitted.side * (fills ? window.devicePixelRatio || 1 : 1));
    buttons.forEach((button, index) => drawHead(button.firstChild, index, pixels));
  }

  /** Names under the heads as far as there is room for them, the others under the grid; and how large a head is. */
  function fit() {
    tell([]);
    let found = placed();
    for (let turn = 0; turn < 2 && found.short.length; turn++) {
      tell(found.short); // it takes some of the height, and then a name more may have no room
      found = placed();
    }
    return found.side;
  }

  /** Writes under the grid which heads have which name. */
  function tell(short) {
    const numbers = new Map();
    for (const [number, name] of short) numbers.set(name, [...(numbers.get(name) || []), number]);
    root
      .querySelector(".legend")
      .replaceChildren(
        ...[...numbers].map(([name, all]) => element("span", {}, element("b", {}, all.join(" ")), name)),
      );
  }

  /** Names under the heads; those for which there is no room, as [number, name]. */
  function placed() {
    buttons.forEach((button, index) => label(button, index, true));
    const { side, named } = fitting(root, layers, heads),
      short = [];
    buttons.forEach((button, index) => {
      const under = button.querySelector(".label"),
        name = data.labels[Math.floor(index / heads)][index % heads];
      if (named && under.scrollWidth <= under.clientWidth + 1) return;
      label(button, index, false);
      if (name) short.push([`${Math.floor(index / heads)}.${index % heads}`, name]);
    });
    root.firstChild.classList.toggle("unnamed", !named);
    return { side, short };
  }
  /** The pictures as they stand, with what is written under them. */
  function picture() {
    const ink = themed(root)[0],
      size = SQUARE + 8,
      lines = [];
    const text = (x, y, words, more = "") =>
      lines.push(
        `<text x="${x}" y="${y}" fill="${ink}" font-size="11" text-anchor="middle" ${more}>${safe(words)}</text>`,
      );
    root.querySelectorAll("button.head").forEach((button, index) => {
      const x = 24 + (index % heads) * size,
        y = 8 + Math.floor(index / heads) * (size + 14);
      lines.push(
        `<image x="${x}" y="${y}" width="${SQUARE}" height="${SQUARE}" style="image-rendering:pixelated" href="${button.firstChild.toDataURL()}"/>`,
      );
      text(x + 48, y + 110, button.querySelector(".label").textContent);
      if (index % heads === 0) text(12, y + 52, String(index / heads));
    });
    const width = 24 + heads * size,
      height = 16 + layers * (size + 14);
    return [svgFile(root, lines.join(""), width, height, "sans-serif"), width, height];
  }
  root.firstChild.dataset.of = data.of;
  root.querySelector(".buttons").replaceChildren(...(data.tools ? saveButtons(data.file, picture) : []));
  buttons.forEach(name);
  paint();
  onResize(root, root, paint);

  // 1 is the first head of the chosen one's layer, 2 the next.
  root.endDigits?.();
  const digit = (event) => {
    const head = Number(event.detail) - 1;
    if (event.defaultPrevented || !/^[1-9]$/.test(event.detail) || chosenLayer < 0 || head >= heads) return;
    event.preventDefault();
    choose(chosenLayer, head);
  };
  document.addEventListener("playground:key", digit);
  root.endDigits = () => document.removeEventListener("playground:key", digit);
  return () => {
    root.watcher.disconnect();
    root.endDigits();
  };
});
