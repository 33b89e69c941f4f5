// Typing stays in the browser; 60 ms after the last key the text is sent.
const WAIT = 60;

export default register(function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  let box = root.querySelector("textarea");
  const grow = () => {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight + 2, 240)}px`;
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
  box.rows = data.rows;
  box.maxLength = data.longest;
  root.querySelector(".label").textContent = data.label;
  grow();
  box.oninput = () => {
    grow();
    clearTimeout(root.timer);
    root.timer = setTimeout(() => setStateValue("typed", { given: data.given, text: box.value }), WAIT);
  };
  return () => clearTimeout(root.timer);
});
