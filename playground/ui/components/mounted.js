// Streamlit calls a component at every change of its data, as soon as the component's script is there; it sets nothing up or
// down in between. Calls that wait for the script come in any order in Chromium, so that the oldest may come last and would
// draw what was. But Streamlit cleans up after an overtaken call as soon as that returns: a call draws a moment later, and
// only if it is still the newest. What it gives to clean up ends what has left the page.
const ends = new WeakMap();
const mounted = (draw) => (call) => {
  const { parentElement } = call;
  const timer = setTimeout(() => ends.set(parentElement, draw(call)));
  return () => {
    clearTimeout(timer);
    if (parentElement.isConnected) return;
    ends.get(parentElement)?.();
    ends.delete(parentElement);
  };
};
