// Two columns of tokens and the weights between them; what is pointed at or kept is drawn alone.
const SPACE = "http://www.w3.org/2000/svg";
const MOST = { letters: 16, row: 110, font: 30 };
const sansOf = (root) => getComputedStyle(root).getPropertyValue("--st-font") || "sans-serif";
const svgElement = (name, attributes, text) => {
  const made = document.createElementNS(SPACE, name);
  for (const [k, v] of Object.entries(attributes)) made.setAttribute(k, v);
  if (text !== undefined) made.textContent = text;
  return made;
};
const short = (text) => {
  const said = visible(text);
  return said.length > MOST.letters ? `${said.slice(0, MOST.letters - 1)}…` : said;
};

/** How wide the widest of some words is, at a size of one pixel. */
function wordsWidth(words, font) {
  const context = document.createElement("canvas").getContext("2d");
  context.font = `100px ${font}`;
  return Math.max(1, ...words.map((word) => context.measureText(word).width / 100));
}

/** Where everything stands: on the stage both columns take its whole height, elsewhere a row is 24 pixels high. */
function placed(root, box, data) {
  const stage = stageOf(root),
    sides = { q: data.queries, k: data.keys },
    longest = Math.max(data.queries.length, data.keys.length);
  const top = Math.round(stage.size * 1.85),
    width = Math.max(200, stage.fills ? box.clientWidth : Math.min(640, box.clientWidth));
  const plain = longest > 80 ? 16 : 24,
    height = stage.fills ? Math.max(80, box.clientHeight) : longest * plain + top + 6;
  const rows = {},
    font = getComputedStyle(root).getPropertyValue("--st-code-font") || "monospace",
    sans = sansOf(root);
  for (const [side, words] of Object.entries(sides))
    rows[side] = stage.fills ? Math.min(MOST.row, (height - top - 4) / words.length) : plain;
  const one = { q: wordsWidth(data.queries.map(short), font), k: wordsWidth(data.keys.map(short), font) },
    heading = { q: wordsWidth([data.words.query], sans), k: wordsWidth([data.words.key], sans) },
    room = width * 0.34,
    row = Math.min(rows.q, rows.k);
  const fitting = Math.min(row * 0.66, (room - 16) / Math.max(one.q, one.k));
  const size = stage.fills ? Math.max(stage.size, Math.min(MOST.font * (stage.size / 13) ** 0.5, fitting)) : plain > 20 ? 14 : 11; // prettier-ignore
  const menu = 30, // pixels of the button beside the right heading
    share = (side) =>
      Math.max(heading[side] * stage.size + 12 + (side === "k" ? menu : 0), Math.min(room, one[side] * size + 16));
  const spare = Math.max(0, width - 1100) / 2;
  const step = (side) => Math.max(1, Math.ceil((size * 1.05) / rows[side])); // names that would touch are left out
  return {
    stage, width, height, top, rows, size, font,
    edge: { q: spare, k: width - spare },
    left: spare + share("q"),
    right: width - spare - share("k"),
    step: { q: step("q"), k: step("k") },
    middle: (side, i) => top + (i + 0.5) * rows[side],
  }; // prettier-ignore
}

export default register(function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  const bytes = Uint8Array.from(atob(data.values), (c) => c.charCodeAt(0)),
    w = new Float32Array(bytes.buffer);
  const may = (i, j) => !Number.isNaN(w[i * data.keys.length + j]);
  const n = data.queries.length,
    m = data.keys.length;
  root.kept ??= new Set();
  if (root.size !== `${n} ${m}`) {
    root.kept.clear();
    root.size = `${n} ${m}`;
  }
  if (!root.querySelector(".scroll"))
    root.replaceChildren(
      element("div", { class: "scroll" }),
      element("div", { class: "buttons" }),
      element("p", { class: "told told-line", "aria-live": "polite" }),
    );
  const box = root.querySelector(".scroll"),
    told = root.querySelector(".told");
  let L, svg, lines, boxes;

  function build() {
    L = placed(root, box, data);
    const ink = getComputedStyle(root).color;
    svg = svgElement("svg", {
      viewBox: `0 0 ${L.width} ${L.height}`,
      width: L.width,
      height: L.height,
      role: "group",
      "aria-label": data.alt,
      "font-family": L.font,
    });
    lines = svgElement("g", { stroke: lineOn(root, data.colour), "stroke-width": L.size > 20 ? 3 : 2 });
    const heading = { "font-size": L.stage.size, fill: ink, opacity: 0.72, "font-family": sansOf(root) },
      y = L.stage.size * 1.1;
    svg.append(
      svgElement("text", { x: L.left - 8, y, "text-anchor": "end", ...heading }, data.words.query),
      svgElement("text", { x: L.right + 8, y, ...heading }, data.words.key),
      lines,
    );
    boxes = { q: [], k: [] };
    for (const [side, words] of [
      ["q", data.queries],
      ["k", data.keys],
    ]) {
      const group = svgElement("g", {});
      svg.append(group);
      words.forEach((text, i) => {
        const held = token(side, i, text, ink);
        boxes[side].push(held.firstChild);
        group.append(held);
      });
    }
    box.replaceChildren(svg);
    show(null);
  }

  function token(side, i, text, ink) {
    const held = svgElement("g", { tabindex: 0, role: "button", class: "token", "aria-label": visible(text) });
    const row = L.rows[side],
      mine = side === "q",
      width = mine ? L.left - L.edge.q : L.edge.k - L.right;
    const tall = Math.min(row, L.size * 1.9);
    held.append(
      svgElement("rect", {
        x: mine ? L.edge.q : L.right,
        y: L.middle(side, i) - tall / 2,
        width: Math.max(1, width),
        height: tall,
        rx: 4,
        fill: data.colour,
        "fill-opacity": 0,
      }),
      svgElement(
        "text",
        {
          x: mine ? L.left - 8 : L.right + 8,
          y: L.middle(side, i),
          "dominant-baseline": "central",
          "text-anchor": mine ? "end" : "start",
          "font-size": L.size.toFixed(1),
          fill: ink,
        },
        short(text),
      ),
    );
    held.onmouseenter = held.onfocus = () => show({ side, i });
    held.onmouseleave = held.onblur = () => show(null);
    held.onclick = () => {
      const id = `${side}${i}`;
      root.kept.has(id) ? root.kept.delete(id) : root.kept.add(id);
      show({ side, i });
    };
    held.onkeydown = (event) => {
      if (event.key === "Enter" || event.key === " ") {
        held.onclick();
        event.preventDefault();
      }
    };
    return held;
  }

  function show(pointed) {
    const ids = new Set(root.kept);
    if (pointed && !ids.size) ids.add(`${pointed.side}${pointed.i}`);
    const sides = weigh(ids);
    mark(ids, sides, pointed);
    tell(ids, sides);
  }

  /** Draws the lines of some tokens, or of all; and tells how much each token of the other side gets from them. */
  function weigh(ids) {
    const sides = { q: new Float64Array(n), k: new Float64Array(m) };
    const found = [];
    const floor = ids.size ? 0.004 : n * m > 4096 ? 0.12 : 0.03;
    for (let i = 0; i < n; i++)
      for (let j = 0; j < m; j++) {
        const v = w[i * m + j],
          mine = ids.has(`q${i}`) || ids.has(`k${j}`);
        if ((ids.size && !mine) || !may(i, j)) continue;
        if (ids.has(`q${i}`)) sides.k[j] += v;
        if (ids.has(`k${j}`)) sides.q[i] += v;
        if (v > floor)
          found.push(
            svgElement("line", {
              x1: L.left,
              y1: L.middle("q", i),
              x2: L.right,
              y2: L.middle("k", j),
              "stroke-opacity": Math.min(1, v).toFixed(3),
            }),
          );
      }
    lines.replaceChildren(...found);
    return sides;
  }

  /** Which keys none of the asking tokens may look at. */
  function closedTo(ids) {
    const asking = [...ids].filter((id) => id[0] === "q").map((id) => +id.slice(1));
    return (j) => asking.length > 0 && !asking.some((i) => may(i, j));
  }

  function mark(ids, sides, pointed) {
    const closed = closedTo(ids);
    for (const side of ["q", "k"])
      boxes[side].forEach((rect, i) => {
        const chosen = ids.has(`${side}${i}`),
          meant = pointed?.side === side && pointed.i === i,
          word = rect.nextSibling;
        rect.setAttribute("fill-opacity", chosen ? 0.45 : Math.min(0.85, sides[side][i]).toFixed(3));
        rect.setAttribute("stroke", L.stage.presents && meant ? getComputedStyle(root).getPropertyValue("--accent") : "none"); // prettier-ignore
        rect.setAttribute("stroke-width", 4);
        rect.parentNode.setAttribute("aria-pressed", root.kept.has(`${side}${i}`));
        word.setAttribute("opacity", side === "k" && closed(i) ? 0.3 : 1);
        const near = [...ids].some((id) => id[0] === side && Math.abs(+id.slice(1) - i) < L.step[side]);
        word.setAttribute("visibility", chosen || (i % L.step[side] === 0 && !(near && L.step[side] > 1)) ? "visible" : "hidden"); // prettier-ignore
      });
  }

  function tell(ids, sides) {
    if (!ids.size) {
      told.textContent = data.words.hint;
      return;
    }
    const closed = closedTo(ids),
      side = [...ids].some((id) => id[0] === "q") ? "k" : "q",
      words = side === "k" ? data.keys : data.queries;
    const top = [...sides[side]]
      .map((v, i) => [v, i])
      .sort((a, b) => b[0] - a[0])
      .slice(0, L.stage.presents ? 3 : 5)
      .filter(([v]) => v > 0.0005);
    const name =
      ids.size > 1
        ? data.words.sum.replace("{n}", ids.size)
        : visible(([...ids][0][0] === "q" ? data.queries : data.keys)[+[...ids][0].slice(1)]);
    told.replaceChildren(
      element("b", { class: "mono" }, name),
      " → ",
      top.map(([v, i]) => `${visible(words[i])} ${v.toFixed(3)}`).join(" · "),
      boxes.k.some((_, j) => closed(j)) ? ` · ${data.words.closed}` : "",
    );
  }

  const picture = () => [svgFile(root, svg.innerHTML, L.width, L.height, L.font), L.width, L.height];
  root
    .querySelector(".buttons")
    .replaceChildren(
      ...saveButtons(data.file, picture, saveNumbers(data.file, data.queries.map(visible), data.keys.map(visible), w)),
    );
  onEscape(root, () => {
    if (!root.kept.size) return false;
    root.kept.clear();
    show(null);
    return true;
  });
  build();
  onResize(root, box, build);
  return () => {
    root.watcher.disconnect();
    root.endEscape();
  };
});
