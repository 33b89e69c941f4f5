// Tokens as boxes. Drawn anew only where the data changed; hover and keyboard stay in the browser.

export default register(function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  const primary = "var(--st-primary-color)";
  let strip = root.querySelector(".strip");
  if (!strip) {
    root.innerHTML =
      '<div class="strip" role="group"></div><div class="buttons"></div><div class="tip" role="tooltip" hidden></div>';
    strip = root.querySelector(".strip");
  }
  const tip = root.querySelector(".tip");
  strip.setAttribute("aria-label", data.label);
  const selected = new Set(data.selected);
  const boxes = [];
  data.tokens.forEach((token, index) => {
    const box = document.createElement(data.clickable ? "button" : "span");
    box.className = "token mono";
    if (data.clickable) {
      box.type = "button";
      box.onclick = () => !data.brush && setTriggerValue("clicked", { index, at: Date.now() });
      box.setAttribute("aria-pressed", selected.has(index));
    }
    box.textContent = visible(token.text);
    const colour = token.colour || data.colour || primary;
    if (token.value != null)
      box.style.setProperty("--share", `${Math.round(8 + 62 * Math.min(1, Math.max(0, token.value)))}%`);
    box.style.setProperty("--box", colour);
    box.classList.toggle("valued", token.value != null || Boolean(token.colour));
    box.classList.toggle("dashed", Boolean(token.dashed));
    box.classList.toggle("muted", Boolean(token.muted));
    box.classList.toggle("selected", selected.has(index));
    if (token.tip) {
      const say = () => {
        tip.textContent = token.tip;
        tip.hidden = false;
        const place = box.getBoundingClientRect(),
          frame = root.getBoundingClientRect();
        tip.style.left = `${Math.max(0, Math.min(place.left - frame.left, frame.width - tip.offsetWidth))}px`;
        const under = place.bottom - frame.top + 4,
          over = place.top - frame.top - tip.offsetHeight - 4;
        tip.style.top = `${stageOf(root).fills && under + tip.offsetHeight > frame.height && over > 0 ? over : under}px`;
      };
      box.onpointerenter = say;
      box.onfocus = say;
      box.onpointerleave = box.onblur = () => {
        tip.hidden = true;
      };
    }
    boxes.push(box);
    if (token.text.includes("\n")) {
      const line = document.createElement("span");
      line.className = "line";
      boxes.push(line);
    }
  });
  const focused = [...strip.querySelectorAll(".token")].indexOf(parentElement.activeElement);
  strip.replaceChildren(...boxes);
  brush(root, strip, data, setTriggerValue);
  root
    .querySelector(".buttons")
    .replaceChildren(...(data.file ? saveButtons(data.file, () => drawn(root, strip)) : []));
  fitLetters(root, strip);
  onResize(root, root, () => fitLetters(root, strip));
  if (focused >= 0) strip.querySelectorAll(".token")[focused]?.focus();
  return () => root.watcher.disconnect();
});

/** On the stage: the largest letters with which all tokens are seen. */
function fitLetters(root, strip) {
  const stage = stageOf(root);
  strip.style.fontSize = "";
  if (!stage.fills) return;
  for (let size = Math.min(40, Math.round(stage.size * 2.4)); size > stage.size; size -= 2) {
    strip.style.fontSize = `${size}px`;
    if (strip.scrollHeight <= root.clientHeight) return;
  }
  strip.style.fontSize = "";
}

/** Dragging from token to token tells the part that was drawn over: [start, end). */
function brush(root, strip, data, setTriggerValue) {
  strip.classList.toggle("brushed", Boolean(data.brush));
  if (!data.brush) {
    strip.onpointerdown = null;
    return;
  }
  const boxes = [...strip.querySelectorAll(".token")];
  const under = (event) =>
    boxes.findIndex((box) => {
      const place = box.getBoundingClientRect();
      return (
        event.clientX >= place.left - 2 &&
        event.clientX <= place.right + 2 &&
        event.clientY >= place.top - 2 &&
        event.clientY <= place.bottom + 2
      );
    });
  strip.onpointerdown = (event) => {
    const from = under(event);
    if (from < 0) return;
    event.preventDefault();
    let to = from;
    const mark = () =>
      boxes.forEach((box, i) => box.classList.toggle("selected", i >= Math.min(from, to) && i <= Math.max(from, to)));
    const move = (moved) => {
      const at = under(moved);
      if (at >= 0) {
        to = at;
        mark();
      }
    };
    const end = () => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", end);
      window.removeEventListener("pointercancel", end);
      setTriggerValue("brushed", { start: Math.min(from, to), end: Math.max(from, to) + 1, at: Date.now() });
    };
    mark();
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end);
    window.addEventListener("pointercancel", end);
  };
}

/** The boxes as they stand, as an SVG. */
function drawn(root, strip) {
  const frame = strip.getBoundingClientRect(),
    ink = themed(root)[0],
    parts = [];
  strip.querySelectorAll(".token").forEach((box) => {
    const place = box.getBoundingClientRect(),
      style = getComputedStyle(box),
      x = place.left - frame.left + 4,
      y = place.top - frame.top + 4;
    parts.push(
      `<rect x="${x}" y="${y}" width="${place.width}" height="${place.height}" rx="4" fill="${style.backgroundColor}" stroke="${style.borderTopColor}"/>` +
        `<text x="${x + place.width / 2}" y="${y + place.height / 2 + 5}" text-anchor="middle" font-size="${style.fontSize}" fill="${ink}">${safe(box.textContent)}</text>`,
    );
  });
  const width = Math.ceil(frame.width + 8),
    height = Math.ceil(frame.height + 8);
  return [svgFile(root, parts.join(""), width, height), width, height];
}
