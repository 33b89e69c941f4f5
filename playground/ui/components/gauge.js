// A scale with zones between its marks. The pointer stays one element, so that it glides to its new place.
export default register(function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  const ui = root.ui || (root.ui = build(root));
  const places = data.marks.map((mark) => mark.place),
    edges = [0, ...places, 1];
  const zone = data.place === null ? -1 : places.filter((place) => place <= data.place).length;
  root.style.setProperty("--zone", data.colour);
  ui.title.textContent = data.title;
  ui.said.textContent = data.said;
  ui.help.dataset.help = data.help;
  ui.help.setAttribute("aria-label", data.help);
  ui.bar.setAttribute("aria-label", data.alt);
  ui.zones.replaceChildren(
    ...data.zones.map((name, index) =>
      element(
        "span",
        {
          class: `zone${index === zone ? " here" : ""}`,
          style: `width:${100 * (edges[index + 1] - edges[index])}%;--share:${12 + 12 * index}%`,
        },
        element("span", {}, name),
      ),
    ),
  );
  ui.marks.replaceChildren(
    ...data.marks.map((mark) => element("span", { style: `left:${100 * mark.place}%` }, mark.number)),
    element("span", { class: "unit faint" }, data.unit),
  );
  ui.pointer.hidden = data.place === null;
  if (data.place !== null) ui.pointer.style.left = `${100 * data.place}%`;
});

function build(root) {
  const ui = {
    title: element("b", {}),
    said: element("span", { class: "said" }),
    zones: element("div", { class: "zones" }),
    help: element("button", { type: "button", class: "help" }, "?"),
    pointer: element("i", { class: "pointer", hidden: true }),
    marks: element("div", { class: "marks" }),
  };
  ui.bar = element("div", { class: "bar", role: "img" }, ui.zones, ui.pointer);
  root.replaceChildren(
    element("div", { class: "over" }, element("span", {}, ui.title, ui.help), ui.said),
    ui.bar,
    ui.marks,
  );
  return ui;
}
