const opened = new WeakMap(); // the block that each picture shows the inside of

export default register(function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  const open = opened.get(root);
  root.style.setProperty("--accent", data.colour);
  root.replaceChildren(costs(data), panes(data));
  const tip = htmlElement("div", "tip");
  tip.setAttribute("role", "tooltip");
  root.append(tip);
  show(root, data, data.details[open] ? open : data.first, false);
  listen(root, data, tip);
});

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
    if (place.top > innerHeight - 120 || place.bottom < 120)
      inside.scrollIntoView({ behavior: "smooth", block: "start" });
  };
  root.onclick = (event) => unfold(blockOf(event));
  root.onkeydown = (event) => {
    if (event.key === "Escape") tip.classList.remove("shown");
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
  tip.style.top = `${Math.max(8, Math.min(y, innerHeight - size.height - 8)) - frame.top}px`;
}
