// Typing stays in the browser. A key is sent at once; of several in quick succession, what stands there 60 ms after the last.
const WAIT = 60;

export default register(function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  let box = root.querySelector("textarea");
  const grow = () => {
    const now = `${box.value}\n${box.clientWidth} ${data.line}`;
    if (root.grown === now) return; // to measure it lays out the page
    root.grown = now;
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight + 2, data.line ? 92 : 240)}px`;
  };
  if (!box) {
    root.innerHTML = `<label><span class="label"></span><textarea class="mono" spellcheck="false" autocapitalize="off"
      autocomplete="off"></textarea></label>`;
    box = root.querySelector("textarea");
  }
  if (root.given !== data.given) {
    // at first, or because another text is given; while somebody types, what they typed stays
    root.given = data.given;
    box.value = data.shown;
  }
  root.classList.toggle("line", Boolean(data.line));
  box.rows = data.line ? 1 : data.rows;
  box.maxLength = data.longest;
  root.querySelector(".label").textContent = data.label;
  box.placeholder = data.line ? data.label : "";
  grow();
  const send = sender(root, box, () => setStateValue("typed", { given: data.given, text: box.value }));
  box.oninput = () => {
    grow();
    const now = performance.now(),
      rested = now - (root.lastKey ?? -Infinity) > 2 * WAIT;
    root.lastKey = now;
    send(rested ? 0 : WAIT);
  };
  return () => clearTimeout(root.timer);
});
