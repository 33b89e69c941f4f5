// One row a runner; the bars glide from one look to the next.
export default register(function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  stageOf(root);
  if (root.childElementCount !== data.rows.length) {
    root.setAttribute("role", "img");
    root.replaceChildren(
      ...data.rows.map(() =>
        element(
          "div",
          { class: "row" },
          element("span", { class: "name" }),
          element("span", { class: "track" }, element("span", { class: "fill" })),
          element("span", { class: "told" }),
        ),
      ),
    );
  }
  root.setAttribute("aria-label", `${data.label}: ${data.rows.map((row) => `${row.name} ${row.told}`).join(", ")}`);
  data.rows.forEach((row, index) => {
    const [name, track, told] = root.children[index].children;
    name.textContent = row.name;
    told.textContent = row.told;
    track.firstChild.style.width = `${(100 * row.value) / data.most}%`;
    track.firstChild.style.background = row.colour;
  });
});
