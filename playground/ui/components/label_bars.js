// Labels and how likely each is. A label keeps its row while somebody types, so that one sees its bar move.
export default register(function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  const names = JSON.stringify(data.rows.map((row) => row.text));
  if (root.dataset.names !== names) {
    root.dataset.names = names;
    root.style.setProperty("--bar", data.colour);
    root.replaceChildren(
      element(
        "ol",
        {},
        ...data.rows.map((row) =>
          element(
            "li",
            {},
            element(
              "button",
              { type: "button" },
              element("span", { class: "name", "data-own": true }, row.text),
              element("span", { class: "track" }, element("span", { class: "fill" })),
              element("span", { class: "share" }),
            ),
          ),
        ),
      ),
    );
  }
  root.firstChild.setAttribute("aria-label", data.title);
  data.rows.forEach((row, place) => {
    const item = root.firstChild.children[place];
    const [, track, share] = item.firstChild.children;
    item.className = [row.best ? "best" : "", row.mark ? "mark" : ""].join(" ").trim();
    item.firstChild.title = data.help;
    item.firstChild.onclick = () => setTriggerValue("clicked", { row: place, at: Date.now() });
    track.firstChild.style.width = `${100 * row.p}%`;
    share.textContent = percent(row.p);
  });
});
