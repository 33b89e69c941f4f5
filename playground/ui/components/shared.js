// What every component stands on: how it is registered, how tokens and numbers are written, how elements are made.

// Streamlit calls a component at every change of its data, as soon as the component's script is there; it sets nothing up or
// down in between. Calls that wait for the script come in any order in Chromium, so that the oldest may come last and would
// draw what was. But Streamlit cleans up after an overtaken call as soon as that returns: a call draws a moment later, and
// only if it is still the newest. What it gives to clean up ends what has left the page.
const spoken = {}; // words of what every drawing has
const ends = new WeakMap();
const register = (draw) => (call) => {
  const { parentElement } = call;
  spoken.saved = call.data?.saved;
  const timer = setTimeout(() => ends.set(parentElement, draw(call)));
  return () => {
    clearTimeout(timer);
    if (parentElement.isConnected) return;
    ends.get(parentElement)?.();
    ends.delete(parentElement);
  };
};

// How tokens and numbers are written: the same token is shown by the same signs everywhere (playground/text/visible.py).
const visible = (text) => (text === "" ? "∅" : text.replace(/\n/g, "↵").replace(/\t/g, "⇥").replace(/ /g, "·"));
const percent = (p) =>
  p === 0
    ? "0"
    : p >= 0.995 && p < 1
      ? "> 99 %"
      : p >= 0.0995
        ? `${(100 * p).toFixed(0)} %`
        : p >= 0.001
          ? `${(100 * p).toFixed(1)} %`
          : "< 0.1 %";
const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made[key] = value;
    else if (key.startsWith("aria-")) made.setAttribute(key, value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
};

/** What the page gives a drawing: the size of its letters, whether there is a height to fill, whether a room looks at it. */
function stageOf(root) {
  const style = getComputedStyle(root),
    get = (name) => style.getPropertyValue(name).trim();
  const found = {
    size: parseFloat(get("--label-size")) || 13,
    fills: get("--stage-height") !== "",
    presents: get("--form") === "none",
  };
  root.classList.toggle("staged", found.fills);
  root.classList.toggle("presents", found.presents);
  return found;
}

/** Esc lets go of what is locked, and does nothing else then. `release` says whether there was anything. */
function onEscape(root, release) {
  root.endEscape?.();
  const listen = (event) => {
    if (event.key !== "Escape" || !release()) return;
    event.preventDefault();
    event.stopPropagation();
  };
  document.addEventListener("keydown", listen, true);
  root.endEscape = () => document.removeEventListener("keydown", listen, true);
}

/** How a box sends what stands in it: so many ms after the call (0: at once), or as soon as somebody leaves the box. */
function sender(root, box, send) {
  const now = () => {
    clearTimeout(root.timer);
    root.send = null;
    send();
  };
  box.onblur = () => root.send?.(); // who goes on at once takes along what stands there
  return (wait) => {
    clearTimeout(root.timer);
    root.send = now;
    if (wait) root.timer = setTimeout(now, wait);
    else now();
  };
}

/** Calls `draw` whenever the place it draws in, or the page's letters, have another size: a presentation can begin later. */
function onResize(root, box, draw) {
  root.watcher?.disconnect();
  root.letters ||= root.parentNode.appendChild(element("i", { class: "letters", "aria-hidden": "true" }));
  const now = () => `${box.clientWidth} ${box.clientHeight} ${root.letters.offsetWidth}`;
  let before = now();
  root.watcher = new ResizeObserver(() => {
    if (now() === before) return;
    before = now();
    draw();
  });
  root.watcher.observe(box);
  root.watcher.observe(root.letters);
}
