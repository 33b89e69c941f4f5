// Two rows of words with a line from each to its new place; under them what a model expects of the one and of the other.
export default register(function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root"),
    says = data.says,
    n = data.words.length;
  if (!root.querySelector(".rows"))
    root.innerHTML = `<div class="rows" tabindex="0" role="img"></div><div class="panels"></div>`;
  const rows = root.querySelector(".rows"),
    panels = root.querySelector(".panels");
  rows.setAttribute("aria-label", data.alt);
  root.style.setProperty("--before", data.colour);
  let least;
  const font = getComputedStyle(root).getPropertyValue("--st-font") || "sans-serif";
  const meter = document.createElement("canvas").getContext("2d");
  const made = (tag, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [k, v] of Object.entries(attributes)) node.setAttribute(k, v);
    if (text !== undefined) node.textContent = text;
    return node;
  };

  /** How wide each word is in letters of that many pixels. */
  function widths(size) {
    meter.font = `600 ${size}px ${font}`;
    return data.words.map((word) => meter.measureText(word).width + 1.1 * size);
  }
  /** The largest letters with which a row fits, but never smaller ones than the page's; a longer row is scrolled. */
  function lettersFor(wide, tall) {
    const gap = 0.45;
    const at = (size) => widths(size).reduce((sum, w) => sum + w + gap * size, 0);
    let size = Math.min(30, tall / 5);
    while (size > least && at(size) > wide) size -= 0.5;
    size = Math.max(least, size);
    const each = widths(size);
    const spare = Math.max(gap * size, Math.min(6 * size, (wide - each.reduce((a, b) => a + b, 0)) / (n + 1)));
    return { size, each, spare };
  }
  const placed = (order, { each, spare }, from) => {
    const places = [];
    let x = from;
    for (const i of order) {
      places[i] = x;
      x += each[i] + spare;
    }
    return [places, x];
  };

  function drawRows() {
    const width = rows.clientWidth || 600,
      height = rows.clientHeight || 180,
      narrow = width < 34 * least;
    const label = narrow ? 0 : 6.4 * Math.max(least, 14);
    const fit = lettersFor(width - label, height),
      tile = Math.min(2 * fit.size, height * 0.3);
    const given = data.words.map((_, i) => i);
    const [first, end] = placed(given, fit, label),
      [second] = placed(data.order, fit, label);
    const ink = getComputedStyle(root).color,
      accent = getComputedStyle(root).getPropertyValue("--accent").trim();
    const bottom = height - tile - 2;
    const svg = made("svg", { width: Math.max(width, Math.ceil(end)), height, "font-family": font });
    const links = given.map((i) => {
      const from = first[i] + fit.each[i] / 2,
        to = second[i] + fit.each[i] / 2,
        half = (tile + bottom) / 2 + 1;
      const path = `M${from},${tile + 3} C${from},${half} ${to},${half} ${to},${bottom - 1}`;
      const moved = data.order[i] !== i;
      const line = { fill: "none", stroke: moved ? accent : ink, "stroke-width": moved ? 2.5 : 1.5 };
      return made("path", { d: path, class: "link", "stroke-opacity": moved ? 0.8 : 0.3, ...line });
    });
    svg.append(...links);
    const labels = [
      [says.before, tile / 2 + 1, data.colour],
      [says.after, bottom + tile / 2, accent],
    ];
    const letters = Math.max(least, 14);
    if (!narrow)
      for (const [text, y, colour] of labels)
        svg.append(
          made("rect", {
            x: 0,
            y: y - letters * 0.45,
            width: letters * 0.9,
            height: letters * 0.9,
            rx: 3,
            fill: colour,
          }),
          made("text", { x: 1.3 * letters, y, "dominant-baseline": "central", "font-size": letters, fill: ink }, text),
        );
    const point = (chosen) =>
      links.forEach((link, i) => link.setAttribute("opacity", chosen === null || chosen === i ? 1 : 0.15));
    const put = (i, x, y, edge) => {
      const group = made("g", { class: "tile" });
      const box = { x, y, width: fit.each[i], height: tile, rx: 6, stroke: edge, "stroke-width": 1.5 };
      const dashed = i === data.hidden ? { "stroke-dasharray": "5 4" } : {};
      group.append(
        made("rect", { ...box, ...dashed, fill: edge, "fill-opacity": 0.1 }),
        made(
          "text",
          {
            x: x + fit.each[i] / 2,
            y: y + tile / 2,
            "text-anchor": "middle",
            "dominant-baseline": "central",
            "font-size": fit.size,
            "font-weight": 600,
            fill: ink,
          },
          data.words[i],
        ),
      );
      group.onmouseenter = () => point(i);
      group.onmouseleave = () => point(null);
      svg.append(group);
    };
    given.forEach((i) => put(i, first[i], 1, data.colour));
    data.order.forEach((i) => put(i, second[i], bottom, accent));
    rows.replaceChildren(svg);
  }

  /** One model: how much its prediction has changed, and the tokens that it expects, before and after. */
  function panel({ title, changed, rows: tokens }, most, fits) {
    const percents = (p) => `${(100 * p).toFixed(1)}%`;
    const bar = ({ before, after, token }) => {
      const [low, high] = [Math.min(before, after), Math.max(before, after)];
      const far = (high - low) / most > 0.03;
      return element(
        "li",
        {},
        element("span", { class: "piece mono" }, visible(token)),
        element(
          "span",
          { class: "track" },
          element("span", { class: "fill before", style: `width:${percents(before / most)}` }),
          element("span", { class: "fill after", style: `width:${percents(after / most)}` }),
          ...(far
            ? [
                element("span", {
                  class: "gap",
                  style: `left:${percents(low / most)};width:${percents((high - low) / most)}`,
                }),
              ]
            : []),
        ),
        element("span", { class: "share" }, `${percent(before)} → ${percent(after)}`),
      );
    };
    return element(
      "section",
      { class: "panel", "aria-label": title },
      element(
        "div",
        { class: "head" },
        element("b", {}, title),
        element(
          "span",
          { class: `changed${changed < 0.005 ? " nothing" : ""}` },
          says.changed.replace("{share}", percent(changed)),
        ),
      ),
      element("ol", {}, ...tokens.slice(0, fits).map(bar)),
    );
  }
  function drawPanels() {
    const letters = Math.max(least, Math.min(18, panels.clientHeight / 18));
    panels.style.fontSize = `${letters}px`;
    const stacked = root.classList.contains("narrow") ? data.panels.length : 1;
    const room = (panels.clientHeight || 300) / stacked - 2.6 * letters;
    const fits = Math.max(1, Math.floor(room / (1.5 * letters)));
    const most = Math.max(0.01, ...data.panels.flatMap((each) => each.rows.flatMap((row) => [row.before, row.after])));
    panels.replaceChildren(...data.panels.map((each) => panel(each, most, fits)));
  }
  function draw() {
    least = stageOf(root).size;
    root.classList.toggle("narrow", root.clientWidth < 34 * least);
    drawRows();
    drawPanels();
  }
  draw();
  onResize(root, root, draw);
  root.endKeys?.();
  const pressed = (event) => {
    if (event.detail !== " ") return;
    event.preventDefault();
    setTriggerValue("again", { at: Date.now() });
  };
  document.addEventListener("playground:key", pressed);
  root.endKeys = () => document.removeEventListener("playground:key", pressed);
  return () => {
    root.watcher?.disconnect();
    root.endKeys();
  };
});
