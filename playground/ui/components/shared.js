// What every component stands on: how it is registered, how tokens and numbers are written, how elements are made.

// Streamlit calls a component at every change of its data, as soon as the component's script is there; it sets nothing up or
// down in between. Calls that wait for the script come in any order in Chromium, so that the oldest may come last and would
// draw what was. But Streamlit cleans up after an overtaken call as soon as that returns: a call draws a moment later, and
// only if it is still the newest. What it gives to clean up ends what has left the page.
const ends = new WeakMap();
const register = (draw) => (call) => {
  const { parentElement } = call;
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
  p === 0 ? "0" : p >= 0.0995 ? `${(100 * p).toFixed(0)} %` : p >= 0.001 ? `${(100 * p).toFixed(1)} %` : "< 0.1 %";
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
