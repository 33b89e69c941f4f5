// The button in the header and the panel of models. It opens, searches and closes in the browser; a choice is sent.
const drawn = (points, colour) => {
  const line = points
    .map((value, index) => `${((100 * index) / (points.length - 1)).toFixed(1)},${(28 - 0.26 * value).toFixed(1)}`)
    .join(" ");
  const picture = element("span", { class: "curve", "aria-hidden": "true" });
  picture.innerHTML = points.length
    ? `<svg viewBox="0 0 100 30" preserveAspectRatio="none"><polyline points="${line}" style="stroke:${colour}"/></svg>`
    : "";
  return picture;
};

export default register(function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  const { words } = data;
  root.data = data;
  if (!root.firstChild) {
    root.innerHTML = `<button type="button" class="open" aria-haspopup="dialog" aria-expanded="false"><span class="name"></span
      ><span class="sign" aria-hidden="true">▾</span></button><div class="shade" hidden></div><section class="panel" role="dialog" hidden><header
      ><h2></h2><button type="button" class="close"></button></header><input class="search" type="search" autocomplete="off"
      ><div class="list"></div><footer><button type="button" class="compare"></button><button type="button" class="table"
      ></button></footer></section>`;
    root.ticked = new Set();
  }
  const at = (place) => root.querySelector(place);
  const [opener, panel, search, list] = [".open", ".panel", ".search", ".list"].map(at);
  const show = (open) => {
    panel.hidden = at(".shade").hidden = !open;
    opener.setAttribute("aria-expanded", open);
    if (open) {
      search.value = "";
      fill();
      search.focus({ preventScroll: true });
    } else if (root.contains(root.getRootNode().activeElement)) opener.focus({ preventScroll: true });
  };
  const send = (what) => {
    show(false);
    setTriggerValue("chosen", { ...what, at: Date.now() });
  };
  const count = () => {
    const n = root.ticked.size;
    at(".compare").disabled = n < 2;
    at(".compare").textContent = n > 1 ? `${root.data.words.compare} (${n})` : root.data.words.compare;
    at(".compare").title = n > 1 ? "" : root.data.words.tick;
  };
  const card = (model) =>
    element(
      "li",
      { class: model.id === root.data.chosen ? "card here" : "card", style: `--kind: ${model.colour}` },
      element(
        "button",
        {
          type: "button",
          class: "choose",
          disabled: !model.page,
          "aria-current": String(model.id === root.data.chosen),
          onclick: () => {
            if (!model.leads) at(".open .name").textContent = model.name;
            send({ run: model.id, page: model.page });
          },
        },
        element("span", { class: "title" }, model.name),
        drawn(model.curve, model.colour),
        element("span", { class: "kind" }, model.kind),
        element("span", { class: "facts" }, [...model.facts, model.score].filter(Boolean).join(" · ")),
        ...[model.state, model.leads].filter(Boolean).map((said) => element("span", { class: "note" }, said)),
      ),
      element("input", {
        type: "checkbox",
        checked: root.ticked.has(model.id),
        title: root.data.words.tick,
        "aria-label": root.data.words.pick.replace("{name}", model.name),
        onchange: ({ target }) => {
          root.ticked[target.checked ? "add" : "delete"](model.id);
          count();
        },
      }),
    );
  const fill = () => {
    const asked = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const said = (model) => [model.id, model.name, model.kind, model.state, ...model.facts].join(" ").toLowerCase();
    const found = root.data.cards.filter((model) => asked.every((word) => said(model).includes(word)));
    const groups = [
      [root.data.words.own, found.filter((model) => !model.shipped)],
      [root.data.words.shipped, found.filter((model) => model.shipped)],
    ].filter(([, models]) => models.length);
    list.replaceChildren(
      ...groups.flatMap(([title, models]) => [
        element("h3", {}, `${title} (${models.length})`),
        element("ul", {}, ...models.map(card)),
      ]),
      ...(groups.length ? [] : [element("p", { class: "faint" }, root.data.words.none)]),
    );
    count();
  };
  const move = (by) => {
    const stops = [search, ...list.querySelectorAll(".choose:enabled")];
    const now = stops.indexOf(root.getRootNode().activeElement.closest(".card")?.querySelector(".choose") || search);
    stops[Math.min(stops.length - 1, Math.max(0, now + by))].focus();
  };

  at(".open .name").textContent = data.name;
  opener.setAttribute("aria-label", `${words.button}: ${data.name}`);
  opener.title = data.name;
  root.style.display = `var(--control-${data.page}-run, flex)`;
  panel.setAttribute("aria-label", words.title);
  at("h2").textContent = words.title;
  at(".close").textContent = "×";
  at(".close").setAttribute("aria-label", words.close);
  at(".table").textContent = words.table;
  search.placeholder = words.search;
  search.setAttribute("aria-label", words.search);
  for (const id of root.ticked) if (!data.cards.some((model) => model.id === id)) root.ticked.delete(id);
  if (panel.hidden) count();
  else {
    const { scrollTop } = list;
    fill();
    list.scrollTop = scrollTop;
  }

  opener.onclick = () => show(panel.hidden);
  at(".close").onclick = at(".shade").onclick = () => show(false);
  at(".compare").onclick = () => send({ compare: [...root.ticked] });
  at(".table").onclick = () => send({ table: true });
  search.oninput = fill;
  panel.onkeydown = (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") show(false);
    else if (by) move(by);
    else if (event.key === "Enter" && event.target === search) list.querySelector(".choose:enabled")?.click();
    else return event.stopPropagation(); // what is typed here is no key of the page
    event.preventDefault();
    event.stopPropagation();
  };
});
