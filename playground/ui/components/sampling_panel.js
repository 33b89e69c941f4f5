// The sliders of sampling. What they say is heard in the page at once ("playground:sampling"), by the server when they rest.
const SLIDERS = [
  { name: "temperature", min: 0, max: 2, step: 0.05, off: 1 },
  { name: "top_k", min: 0, max: 100, step: 1, off: 0 },
  { name: "top_p", min: 0.05, max: 1, step: 0.01, off: 1 },
  { name: "min_p", min: 0, max: 0.5, step: 0.01, off: 0 },
  { name: "repetition_penalty", min: 1, max: 2, step: 0.05, off: 1 },
];

export default register(function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  if (root.given !== data.given) {
    // at first, or for another kind of model; else what the person has set stays
    root.given = data.given;
    root.sampling = { ...data.sampling };
  }
  const focused = root.querySelector("input:focus")?.name;
  root.replaceChildren(...SLIDERS.map((slider) => row(slider)));
  if (focused) root.querySelector(`input[name=${focused}]`).focus();

  function row({ name, min, max, step, off }) {
    const value = element("output", {});
    const input = element("input", { type: "range", name, min, max, step, "aria-label": data.words[name] });
    input.value = root.sampling[name];
    const show = () => {
      const now = root.sampling[name];
      value.textContent =
        now === off ? data.words.off : name === "temperature" && now === 0 ? data.words.greedy : String(now);
      made.classList.toggle("idle", now === off);
    };
    input.oninput = () => {
      root.sampling[name] = Number(input.value);
      show();
      document.dispatchEvent(new CustomEvent("playground:sampling", { detail: { ...root.sampling } }));
    };
    input.onchange = () => setStateValue("sampling", { given: data.given, values: { ...root.sampling } });
    const made = element(
      "label",
      { class: "slider", title: data.words[`${name}_help`] },
      element("span", {}, data.words[name]),
      value,
      input,
    );
    show();
    return made;
  }
});
