// A text that can be changed at every token. The distribution answers the sliders of sampling_panel.js ("playground:sampling")
// here; writing is asked of the server.
const ROWS = 10,
  POLL = 120;

export default register(function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  const ui = root.ui || (root.ui = build(root, data));
  ui.data = data;
  stageOf(root);
  ui.act = (kind, more = {}) => setTriggerValue("act", { kind, at: Date.now(), sampling: ui.sampling, ...more });
  if (data.logits !== null) {
    ui.logits = floats(data.logits);
    ui.position = data.position;
  }
  if (ui.told !== JSON.stringify(data.sampling)) resample(ui, data.sampling);
  document.removeEventListener("playground:sampling", ui.heard);
  ui.heard = ({ detail }) => {
    resample(ui, detail);
    drawDistribution(ui);
  };
  document.addEventListener("playground:sampling", ui.heard);
  drawText(ui);
  drawControls(ui);
  drawDistribution(ui);
  clearTimeout(ui.poll);
  if (data.working) ui.poll = setTimeout(() => ui.act("poll"), POLL);
  return () => {
    clearTimeout(ui.poll);
    document.removeEventListener("playground:sampling", ui.heard);
  };
});

function resample(ui, sampling) {
  ui.told = JSON.stringify(sampling);
  ui.sampling = { ...sampling };
  ui.stage = null;
}

function floats(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

function build(root, data) {
  const words = data.words,
    ui = { sampling: { ...data.sampling }, stage: null, drawn: [] };
  const button = (name, kind, more) =>
    element(
      "button",
      { type: "button", class: `action ${kind} ${name}`, onclick: () => ui.act(kind, more ? more() : {}) },
      words[name],
    );
  ui.write = button("write", "write", () => ({ n: ui.data.count }));
  ui.stop = button("stop", "stop");
  ui.next = button("one", "write", () => ({ n: 1 }));
  ui.undo = button("undo", "undo");
  ui.clear = button("clear", "clear");
  ui.strip = element("div", { class: "strip", role: "group", "aria-label": words.text });
  ui.end = element(
    "button",
    { type: "button", class: "token end", title: words.next, onclick: () => select(ui, ui.data.tokens.length) },
    "…",
  );
  ui.tip = element("div", { class: "tip", role: "tooltip", hidden: true });
  ui.status = element("p", { class: "status faint", "aria-live": "polite" });
  ui.beams = element("ol", { class: "beams" });
  ui.heading = element("h4", {});
  ui.stages = element("div", { class: "stages", role: "group", "aria-label": words.steps });
  ui.bars = element("ol", { class: "bars" });
  ui.caption = element("p", { class: "caption faint" });
  root.replaceChildren(
    element(
      "div",
      { class: "desk" },
      element(
        "div",
        { class: "left" },
        element("div", { class: "actions" }, ui.write, ui.stop, ui.next, ui.undo, ui.clear),
        element("div", { class: "paper" }, ui.strip, ui.tip),
        ui.status,
        ui.beams,
      ),
      element("div", { class: "right" }, ui.heading, ui.stages, ui.bars, ui.caption),
    ),
  );
  ui.strip.addEventListener("keydown", (event) => move(ui, event));
  return ui;
}

// The text

function drawText(ui) {
  const { tokens, colour, words } = ui.data;
  const same = (a, b) => a && a.id === b.id && a.p === b.p && a.given === b.given && a.text === b.text;
  let kept = 0;
  while (kept < tokens.length && same(ui.drawn[kept], tokens[kept])) kept++;
  while (ui.strip.lastChild && Number(ui.strip.lastChild.dataset.index ?? Infinity) >= kept)
    ui.strip.lastChild.remove();
  tokens.slice(kept).forEach((token, offset) => ui.strip.append(...boxOf(ui, token, kept + offset, colour, words)));
  ui.strip.append(ui.end);
  const letters = tokens.reduce((sum, token) => sum + token.text.length, 0);
  ui.strip.style.setProperty("--letters", letters < 150 ? "1.7rem" : letters < 450 ? "1.4rem" : "1.15rem");
  ui.drawn = tokens;
  ui.end.classList.toggle("writing", ui.data.working);
  mark(ui);
  if (ui.data.working) ui.strip.parentElement.scrollTop = ui.strip.parentElement.scrollHeight;
}

function boxOf(ui, token, index, colour, words) {
  const box = element(
    "button",
    { type: "button", class: `token mono${token.given ? " given" : ""}`, "data-index": index, tabindex: -1 },
    visible(token.text),
  );
  if (token.p != null) {
    box.style.setProperty("--share", `${Math.round(6 + 64 * token.p)}%`);
    box.style.setProperty("--box", colour);
    box.classList.add("valued");
  }
  box.onclick = () => select(ui, index);
  const says = [token.p == null ? words.unseen : `${words.model}: ${percent(token.p)}`];
  if (token.drawn != null && token.drawn !== token.p) says.push(`${words.drawn}: ${percent(token.drawn)}`);
  says.push(words.click);
  const show = () => {
    ui.tip.textContent = says.join("\n");
    ui.tip.hidden = false;
    const place = box.getBoundingClientRect(),
      frame = ui.strip.parentElement.getBoundingClientRect();
    ui.tip.style.left = `${Math.max(0, Math.min(place.left - frame.left, frame.width - ui.tip.offsetWidth))}px`;
    ui.tip.style.top = `${place.bottom - frame.top + ui.strip.parentElement.scrollTop + 4}px`;
  };
  box.onpointerenter = box.onfocus = show;
  box.onpointerleave = box.onblur = () => {
    ui.tip.hidden = true;
  };
  if (!token.text.includes("\n")) return [box];
  return [box, element("span", { class: "line", "data-index": index })];
}

function select(ui, index) {
  ui.position = index;
  mark(ui);
  ui.bars.classList.add("stale");
  ui.act("select", { position: index });
}

function mark(ui) {
  const end = ui.data.tokens.length,
    at = ui.position ?? end;
  for (const box of ui.strip.querySelectorAll(".token")) {
    const chosen = box === ui.end ? at >= end : Number(box.dataset.index) === at;
    box.classList.toggle("selected", chosen);
    box.setAttribute("aria-pressed", chosen);
    box.tabIndex = chosen ? 0 : -1;
  }
}

function move(ui, event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const boxes = [...ui.strip.querySelectorAll(".token")];
  const next = boxes[boxes.indexOf(event.target) + step];
  if (next) next.focus();
  event.preventDefault();
}

// Buttons, and what beam search found

function drawControls(ui) {
  const { working, canUndo, status, beams, canWrite, words } = ui.data;
  ui.write.hidden = working || ui.data.commanded;
  ui.stop.hidden = !working || ui.data.commanded;
  for (const one of [ui.write, ui.next]) one.disabled = working || !canWrite;
  ui.undo.disabled = working || !canUndo;
  ui.clear.disabled = working || !ui.data.tokens.some((token) => !token.given);
  ui.status.textContent = status;
  ui.beams.replaceChildren(
    ...beams.map((beam, index) =>
      element(
        "li",
        {},
        element(
          "button",
          { type: "button", class: "found", title: words.take, onclick: () => ui.act("take", { index }) },
          element("span", { class: "mono" }, beam.text),
          element("span", { class: "faint" }, beam.score),
        ),
      ),
    ),
  );
}

// The distribution of one place

function drawDistribution(ui) {
  const { data, logits } = ui,
    words = data.words;
  ui.bars.parentElement.classList.toggle("busy", data.working);
  if (!logits) return;
  const began = performance.now();
  const history = samplingSteps(logits, ui.sampling, data.seen);
  const last = history.length - 1,
    at = Math.min(ui.stage ?? last, last);
  const before = history[0].p,
    after = history[at].p;
  const token = data.tokens[ui.position];
  ui.heading.textContent = token ? `${words.instead} ${visible(token.text)}` : words.next;
  ui.stages.replaceChildren(
    ...history.map((step, index) =>
      element(
        "button",
        {
          type: "button",
          class: "stage",
          "aria-pressed": index === at,
          onclick: () => {
            ui.stage = index;
            drawDistribution(ui);
          },
        },
        element("b", {}, words[step.name]),
        element("span", {}, `${step.p.reduce((n, p) => n + (p > 0), 0)} ${words.left}`),
      ),
    ),
  );
  const order = data.order
    .filter((id) => before[id] > 0)
    .sort((a, b) => after[b] - after[a] || before[b] - before[a])
    .slice(0, ROWS);
  const full = Math.max(...order.map((id) => Math.max(before[id], after[id])), 1e-9);
  let cut = false;
  ui.bars.classList.remove("stale");
  ui.bars.replaceChildren(
    ...order.map((id) => {
      const gone = after[id] === 0 ? history.slice(0, at + 1).find((step) => step.p[id] === 0) : null;
      const first = gone && !cut;
      cut = cut || Boolean(gone);
      const chosen = token && token.id === id;
      const row = element(
        "button",
        {
          type: "button",
          title: words.pick,
          onclick: () => ui.act("pick", { position: ui.position, token: id }),
          "aria-label": `${visible(data.pieces[id])} ${percent(before[id])} → ${percent(after[id])}`,
        },
        element("span", { class: "piece mono" }, visible(data.pieces[id])),
        element(
          "span",
          { class: "track" },
          element("span", { class: "before", style: `width:${(100 * before[id]) / full}%` }),
          element("span", { class: "after", style: `width:${(100 * after[id]) / full}%` }),
        ),
        element("span", { class: "share" }, gone ? words[gone.name] : percent(after[id])),
      );
      return element("li", { class: `${gone ? "gone" : ""}${first ? " first" : ""}${chosen ? " chosen" : ""}` }, row);
    }),
  );
  ui.caption.textContent = cut ? words.cut_caption : words.caption;
  ui.bars.dataset.milliseconds = (performance.now() - began).toFixed(2);
}
