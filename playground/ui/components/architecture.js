const opened = new WeakMap(); // the block that each picture shows the inside of

export default register(function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  const open = opened.get(root);
  root.style.setProperty("--accent", data.colour);
  const { fills } = stageOf(root);
  const drawn = panes(data);
  if (fills) besideIt(root, data, drawn);
  root.replaceChildren(...(fills ? [drawn] : [costs(data), drawn]));
  const tip = htmlElement("div", "tip");
  tip.setAttribute("role", "tooltip");
  root.append(tip);
  show(root, data, data.details[open] ? open : data.first, false);
  listen(root, data, tip);
  fit(root);
  onResize(root, root, () => fit(root));
  return () => root.watcher.disconnect();
});

/** In a stage what the model costs stands with the inside of a block, beside the model. */
function besideIt(root, data, drawn) {
  const side = htmlElement("div", "side-pane");
  const away = htmlElement("button", "away", "×");
  away.type = "button";
  away.setAttribute("aria-label", data.words.close);
  away.onclick = () => root.classList.remove("looks");
  const inside = drawn.querySelector(".inside");
  inside.replaceWith(side);
  side.append(away, inside, costs(data));
}

const SIDE_BY_SIDE = 720, // pixels: below, the inside lies over the model
  THREE = 1100, // below, what is said of a block stands over its inside
  ROOMY = 17.5, // letters that have room in the drawing at its own size
  LEGIBLE = 15; // and in that of an inside
/** Makes the whole model as large as the stage lets it be, and the inside of a block as large as its letters have to be. */
function fit(root) {
  const { size, fills, presents } = stageOf(root);
  const main = root.querySelector(".main"),
    picture = root.querySelector(".inside .picture");
  if (!fills || !main || !root.clientWidth) return;
  const narrow = root.clientWidth < SIDE_BY_SIDE;
  root.classList.toggle("narrow", narrow);
  root.classList.toggle("slim", !narrow && root.clientWidth < THREE);
  const whole = main.firstElementChild;
  const { width, height } = whole.viewBox.baseVal;
  const room = root.clientWidth * (narrow ? 1 : presents ? 0.46 : 0.41);
  const scale = Math.min((root.clientHeight - 4) / height, room / width, 1.7);
  resize(whole, scale);
  main.classList.toggle("terse", size / scale > ROOMY);
  const inner = picture.firstElementChild,
    own = inner.viewBox.baseVal;
  const fitting = Math.min(
    (picture.clientWidth - 18) / own.width,
    narrow ? 9 : (picture.clientHeight - 18) / own.height,
    2,
  );
  resize(inner, Math.max(size / (presents ? ROOMY : LEGIBLE), fitting));
}

/** Words that are too long for their block at this size are set narrower. */
function squeeze(text) {
  const block = text.parentElement,
    { width } = block.querySelector("rect:not(.ghost)").getBBox();
  const room = width - (block.classList.contains("opens") ? 40 : 8);
  text.removeAttribute("textLength");
  if (room <= 0 || text.getComputedTextLength() <= room) return; // no room yet: not laid out
  text.setAttribute("lengthAdjust", "spacingAndGlyphs");
  text.setAttribute("textLength", room);
}

function resize(svg, scale) {
  const { width, height } = svg.viewBox.baseVal;
  svg.style.width = `${width * scale}px`;
  svg.style.height = `${height * scale}px`;
  svg.style.setProperty("--scale", scale);
  for (const text of svg.querySelectorAll(".box > text")) squeeze(text);
}

function htmlElement(tag, name, text) {
  const made = document.createElement(tag);
  made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}

const LOW = { ₜ: "t", "₋": "−", "₊": "+", "₀": "0", "₁": "1", "₂": "2" };

function formula(name, text) {
  const made = htmlElement("code", name);
  for (const part of text.split(/([ₜ₋₊₀₁₂]+|_[A-Za-z]+)/)) {
    if (/^[ₜ₋₊₀₁₂_]/.test(part))
      made.append(htmlElement("sub", "", [...part.replace("_", "")].map((c) => LOW[c] ?? c).join("")));
    else made.append(part);
  }
  return made;
}

function costs(data) {
  const box = htmlElement("div", "costs");
  const figures = htmlElement("div", "figures");
  for (const [name, value, note] of data.figures) {
    const figure = htmlElement("div", "figure");
    figure.append(
      htmlElement("span", "name", name),
      htmlElement("span", "value", value),
      htmlElement("span", "note", note),
    );
    figures.append(figure);
  }
  const bar = htmlElement("div", "parts");
  const legend = htmlElement("div", "legend");
  data.parts.forEach((part, i) => {
    const strength = `${Math.max(22, 100 - i * 17)}%`;
    const piece = htmlElement("span", "piece");
    piece.style.cssText = `flex-grow:${part.share};--strength:${strength}`;
    const label = htmlElement("span", "part");
    label.style.setProperty("--strength", strength);
    label.append(htmlElement("i", "dot"), htmlElement("span", "", part.name), htmlElement("b", "", part.text));
    for (const each of [piece, label]) each.dataset.block = part.block;
    bar.append(piece);
    legend.append(label);
  });
  bar.setAttribute("role", "img");
  bar.setAttribute(
    "aria-label",
    data.words.parameters + ": " + data.parts.map((p) => `${p.name} ${p.text}`).join(", "),
  );
  box.append(figures, bar, legend);
  return box;
}

function panes(data) {
  const box = htmlElement("div", data.wide > 700 ? "panes wide" : data.wide > 500 ? "panes middle" : "panes");
  const main = htmlElement("div", "main");
  main.innerHTML = data.main;
  const inside = htmlElement("div", "inside");
  inside.setAttribute("aria-live", "polite");
  box.append(main, inside);
  return box;
}

function show(root, data, key, chosen) {
  opened.set(root, key);
  const inside = root.querySelector(".inside");
  const tip = data.tips[key];
  const head = htmlElement("div", "head");
  head.append(
    htmlElement("span", "kicker", data.words.inside),
    htmlElement("h3", "", tip.title),
    htmlElement("p", "", tip.text),
  );
  if (tip.formula) head.append(formula("formula", tip.formula));
  const picture = htmlElement("div", "picture");
  picture.innerHTML = data.details[key];
  picture.dataset.inside = key;
  inside.replaceChildren(head, picture);
  inside.classList.toggle("fresh", chosen);
  root.classList.toggle("looks", chosen);
  fit(root);
  for (const block of root.querySelectorAll(".main .opens")) {
    const here = block.dataset.key === key;
    block.classList.toggle("open-now", here);
    block.setAttribute("aria-pressed", here);
  }
}

function listen(root, data, tip) {
  const blockOf = (event) => event.target.closest?.("[data-key]");
  const keyOf = (block) => {
    const inside = block.closest("[data-inside]");
    return inside ? `${inside.dataset.inside}/${block.dataset.key}` : block.dataset.key;
  };
  const unfold = (block) => {
    if (!block?.classList.contains("opens")) return;
    show(root, data, block.dataset.key, true);
    tip.classList.remove("shown");
    const inside = root.querySelector(".inside");
    const place = inside.getBoundingClientRect();
    if (!root.classList.contains("staged") && (place.top > innerHeight - 120 || place.bottom < 120))
      inside.scrollIntoView({ behavior: "smooth", block: "start" });
  };
  root.onclick = (event) => unfold(blockOf(event));
  root.onkeydown = (event) => {
    if (event.key === "Escape") {
      tip.classList.remove("shown");
      root.classList.remove("looks");
    }
    if (event.key !== "Enter" && event.key !== " ") return;
    const block = blockOf(event);
    if (block?.classList.contains("opens")) {
      event.preventDefault();
      unfold(block);
    }
  };
  root.onpointerover = root.onfocusin = (event) => {
    const part = event.target.closest?.("[data-block]");
    for (const block of root.querySelectorAll(".main [data-key]")) {
      block.classList.toggle("pointed", Boolean(part) && part.dataset.block.split(" ").includes(block.dataset.key));
    }
    const block = blockOf(event);
    const words = block && data.tips[keyOf(block)];
    if (!words || event.pointerType === "touch") return tip.classList.remove("shown");
    explain(tip, words, block.classList.contains("opens") ? data.words.click : "");
    place(root, tip, block);
  };
  root.onpointerleave = root.onfocusout = () => tip.classList.remove("shown");
}

function explain(tip, words, hint) {
  tip.replaceChildren(htmlElement("b", "", words.title), htmlElement("p", "", words.text));
  if (words.formula) tip.append(formula("", words.formula));
  if (words.facts.length) {
    const facts = htmlElement("dl", "");
    for (const [name, value] of words.facts) facts.append(htmlElement("dt", "", name), htmlElement("dd", "", value));
    tip.append(facts);
  }
  if (hint) tip.append(htmlElement("em", "", hint));
}

function place(root, tip, block) {
  tip.classList.add("shown");
  const frame = root.getBoundingClientRect();
  const at = block.getBoundingClientRect();
  const size = tip.getBoundingClientRect();
  const beside = at.right + 14 + size.width < Math.min(innerWidth, frame.right);
  const x = beside ? at.right + 14 : Math.max(frame.left, at.left + at.width / 2 - size.width / 2);
  const y = beside ? at.top + at.height / 2 - size.height / 2 : at.bottom + 10;
  tip.style.left = `${Math.min(x, innerWidth - size.width - 8) - frame.left}px`;
  const floor = root.classList.contains("staged") ? frame.bottom : innerHeight;
  tip.style.top = `${Math.max(8, Math.min(y, floor - size.height - 8)) - frame.top}px`;
}
