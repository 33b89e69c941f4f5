// Pairs of bars: what was likely before a change, and what is likely with it; below, what the model writes on.
const ROW = 1.9, // letters high: a row that can be read
  PAIR = 2.9;

export default register(function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root"),
    { words, colours } = data;
  const mine = (colour) => `--bar:${colour}`;
  const key = (name) => element("span", {}, element("i", { style: mine(colours[name]) }), words[name]);
  const told = (text, name) =>
    element(
      "p",
      { style: mine(colours[name]), title: words[name] },
      element("span", { class: "mono" }, text.replace(/\s+/g, " ") || "∅"),
    );
  const rows = element("div", { class: "rows" });
  const parts = [
    element("div", { class: "title" }, data.title),
    element("div", { class: "keys" }, ...(data.changed ? [key("before"), key("after")] : [key("before")])),
    rows,
  ];
  if (data.writing) parts.push(element("p", { class: "faint" }, data.writing));
  if (data.written) {
    const [before, after] = data.written;
    const lines = [told(before, "before"), ...(data.changed ? [told(after, "after")] : [])];
    parts.push(element("div", { class: "written" }, element("b", {}, words.writes), ...lines));
  }
  root.replaceChildren(...parts);

  const most = Math.max(1e-9, ...data.rows.flatMap(({ before, after }) => [before, after ?? 0]));
  const bar = (p, name) => element("i", { style: `${mine(colours[name])};width:${(100 * p) / most}%` });
  const rowOf = ({ text, before, after }) =>
    element(
      "div",
      {
        class: "row",
        title: `${visible(text)}: ${[before, after]
          .filter((p) => p !== null)
          .map(percent)
          .join(" → ")}`,
      },
      element("span", { class: "piece mono" }, visible(text)),
      element("span", { class: "bars" }, bar(before, "before"), ...(after === null ? [] : [bar(after, "after")])),
      element(
        "span",
        { class: "share" },
        ...[before, after].filter((p) => p !== null).map((p) => element("span", {}, percent(p))),
      ),
    );
  /** As many rows as can be read in this place. */
  const fill = () => {
    const letter = parseFloat(getComputedStyle(root).fontSize);
    const fit = Math.max(1, Math.floor(rows.clientHeight / ((data.changed ? PAIR : ROW) * letter)));
    if (rows.childElementCount !== Math.min(fit, data.rows.length))
      rows.replaceChildren(...data.rows.slice(0, fit).map(rowOf));
  };
  fill();
  root.watcher?.disconnect();
  root.watcher = new ResizeObserver(fill);
  root.watcher.observe(root);
  return () => root.watcher.disconnect();
});
