// Two columns of tokens and the weights between them; what is pointed at or kept is drawn alone.
export default register(function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  const bytes = Uint8Array.from(atob(data.values), (c) => c.charCodeAt(0)),
    w = new Float32Array(bytes.buffer);
  const may = (i, j) => !Number.isNaN(w[i * data.keys.length + j]);
  const n = data.queries.length,
    m = data.keys.length,
    row = n > 80 || m > 80 ? 16 : 24;
  const space = "http://www.w3.org/2000/svg";
  root.kept ??= new Set();
  if (root.size !== `${n} ${m}`) {
    root.kept.clear();
    root.size = `${n} ${m}`;
  }
  const width = 460,
    height = Math.max(n, m) * row + 30,
    left = 150,
    right = 310;
  const svgElement = (name, attributes, text) => {
    const made = document.createElementNS(space, name);
    for (const [k, v] of Object.entries(attributes)) made.setAttribute(k, v);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const svg = svgElement("svg", {
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": data.alt,
    "font-family": "monospace",
  });
  svg.style.maxWidth = "640px";
  const lines = svgElement("g", { stroke: data.colour, "stroke-width": 2 }),
    left_ = svgElement("g", {}),
    right_ = svgElement("g", {});
  const ink = getComputedStyle(root).color;
  svg.append(
    svgElement(
      "text",
      { x: left - 8, y: 14, "text-anchor": "end", "font-size": 13, fill: ink, opacity: 0.7 },
      data.words.query,
    ),
    svgElement("text", { x: right + 8, y: 14, "font-size": 13, fill: ink, opacity: 0.7 }, data.words.key),
    lines,
    left_,
    right_,
  );
  const told = element("p", { class: "told", "aria-live": "polite" });
  const middle = (i) => 24 + (i + 0.5) * row;
  const token = (side, i, text) => {
    const held = svgElement("g", { tabindex: 0, role: "button", class: "token" });
    const x = side === "q" ? 0 : right;
    held.append(
      svgElement("rect", { x, y: 24 + i * row, width: left, height: row, rx: 3, fill: data.colour, "fill-opacity": 0 }),
      svgElement(
        "text",
        {
          x: side === "q" ? left - 8 : right + 8,
          y: middle(i),
          "dominant-baseline": "central",
          "text-anchor": side === "q" ? "end" : "start",
          "font-size": row > 20 ? 14 : 11,
          fill: ink,
        },
        visible(text).slice(0, 16),
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
    (side === "q" ? left_ : right_).append(held);
    return held.firstChild;
  };
  const boxes = { q: data.queries.map((x, i) => token("q", i, x)), k: data.keys.map((x, i) => token("k", i, x)) };

  function show(pointed) {
    const ids = new Set(root.kept);
    if (pointed && !ids.size) ids.add(`${pointed.side}${pointed.i}`);
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
              x1: left,
              y1: middle(i),
              x2: right,
              y2: middle(j),
              "stroke-opacity": Math.min(1, v).toFixed(3),
            }),
          );
      }
    lines.replaceChildren(...found);
    const shade = (side) =>
      boxes[side].forEach((box, i) => {
        const chosen = ids.has(`${side}${i}`);
        box.setAttribute("fill-opacity", chosen ? 0.45 : Math.min(0.85, sides[side][i]).toFixed(3));
      });
    shade("q");
    shade("k");
    const asking = [...ids].filter((id) => id[0] === "q").map((id) => +id.slice(1)),
      closed = (j) => asking.length > 0 && !asking.some((i) => may(i, j));
    boxes.k.forEach((box, j) => box.nextSibling.setAttribute("opacity", closed(j) ? 0.3 : 1));
    if (!ids.size) {
      told.textContent = data.words.hint;
      return;
    }
    const side = [...ids].some((id) => id[0] === "q") ? "k" : "q",
      words = side === "k" ? data.keys : data.queries;
    const top = [...sides[side]]
      .map((v, i) => [v, i])
      .sort((a, b) => b[0] - a[0])
      .slice(0, 5)
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
  const picture = () => [svgFile(root, svg.innerHTML, width, height), width, height];
  root.replaceChildren(
    element("div", { class: "buttons" }, ...saveButtons(data.file, picture)),
    element("div", { class: "scroll" }, svg),
    told,
  );
  show(null);
});
