// Groups of labelled bars; a click on one says which.
export default register(function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  root.style.setProperty("--bar", data.colour);
  stageOf(root);
  const rows = Math.max(1, ...data.groups.map((group) => group.rows.length));
  root.replaceChildren(
    element(
      "div",
      { class: "groups", style: `--rows:${rows};--count:${Math.max(1, data.groups.length)}` },
      ...data.groups.map((group, index) =>
        element(
          "section",
          { "aria-label": group.title },
          element("h4", { class: "mono" }, group.title),
          element("p", { class: "faint" }, group.note),
          element(
            "ol",
            {},
            ...group.rows.map((row, place) =>
              element(
                "li",
                { class: row.mark ? "mark" : "" },
                element(
                  "button",
                  {
                    type: "button",
                    title: data.help,
                    onclick: () => setTriggerValue("clicked", { group: index, row: place, at: Date.now() }),
                  },
                  element("span", { class: "piece mono" }, data.tokens ? visible(row.text) : row.text),
                  element(
                    "span",
                    { class: "track" },
                    element("span", { class: "fill", style: `width:${100 * row.p}%` }),
                  ),
                  element("span", { class: "share" }, percent(row.p)),
                ),
              ),
            ),
          ),
        ),
      ),
    ),
  );
});
