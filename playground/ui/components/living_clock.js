// The time of a played picture: a clock over frames, the strip on which they and the events lie, and which frame of a second
// run belongs to one of the first.
const FRAMES_A_SECOND = 1.25; // at speed 1
const SPEEDS = [0.5, 1, 2, 4];
const ALIGNS = ["step", "tokens", "seconds", "loss"];

/** The index of the frame that is nearest by a quantity of `about`; by the step where that is not known. */
function alignedTo(frames, about, by) {
  const known = (each) => Number.isFinite(each.about[by]);
  if (by !== "step" && (!Number.isFinite(about[by]) || !frames.some(known))) return alignedTo(frames, about, "step");
  let best = 0,
    least = Infinity;
  frames.forEach((each, index) => {
    const far = known(each) ? Math.abs(each.about[by] - about[by]) : Infinity;
    if (far < least) ((least = far), (best = index));
  });
  return best;
}

/** Where a step lies among those of the frames: 2.5 is in the middle between the third and the fourth. */
function positionOf(steps, step) {
  if (step <= steps[0]) return 0;
  for (let i = 1; i < steps.length; i++)
    if (step <= steps[i]) return i - 1 + (step - steps[i - 1]) / (steps[i] - steps[i - 1] || 1);
  return steps.length - 1;
}

class Clock {
  constructor(changed) {
    this.changed = changed;
    this.at = 0; // in frames, with what is between two
    this.last = 0;
    this.playing = false;
    this.speed = 1;
    this.loop = false;
    this.then = null;
  }

  go(to) {
    this.at = Math.max(0, Math.min(this.last, to));
    this.changed();
  }

  play(on = !this.playing) {
    if (on && this.at >= this.last) this.at = 0;
    this.playing = on && this.last > 0;
    this.then = null;
    this.changed();
  }

  /** Goes on by the time since the last picture; says whether there is more to come. */
  tick(time) {
    if (!this.playing) return false;
    const passed = this.then === null ? 0 : Math.min(250, time - this.then); // a tab that slept does not jump
    this.then = time;
    this.at += (passed / 1000) * this.speed * FRAMES_A_SECOND;
    if (this.at < this.last) return true;
    this.at = this.loop ? 0 : this.last;
    this.playing = this.loop;
    return this.playing;
  }
}

/** The strip with its buttons: { node, update(frames, events), show() }. */
function timelineOf(ui) {
  const { clock } = ui;
  const play = element("button", { type: "button", class: "act play", onclick: () => clock.play() });
  const slide = element("input", { type: "range", min: 0, max: 0, step: 0.01, class: "scrub" });
  slide.oninput = () => {
    clock.playing = false;
    clock.go(Number(slide.value));
  };
  const marks = element("div", { class: "marks" }),
    strip = element("div", { class: "strip" }, slide, marks);
  const speed = element("select", { class: "speed", onchange: () => (clock.speed = Number(speed.value)) });
  const loop = element("input", { type: "checkbox", onchange: () => (clock.loop = loop.checked) });
  const loopText = document.createTextNode("");
  const align = element("select", { class: "align", onchange: () => ((ui.align = align.value), clock.changed()) });
  const alignText = document.createTextNode(""),
    alignLabel = element("label", { class: "aligned" }, alignText, align);
  const node = element(
    "div",
    { class: "timeline", role: "group" },
    play,
    strip,
    element("div", { class: "options" }, speed, element("label", {}, loop, loopText), alignLabel),
  );
  node.onkeydown = (event) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowUp: 1, ArrowDown: -1 },
      { key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select")) return;
    if (key === " " && event.target === slide) clock.play();
    else if (key in steps) ((clock.playing = false), clock.go(next(clock.at, steps[key])));
    else if (key === "Home") clock.go(0);
    else if (key === "End") clock.go(clock.last);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const next = (at, by) => (by > 0 ? Math.floor(at + 1e-6) + 1 : Math.ceil(at - 1e-6) - 1);

  const update = () => {
    const { words, events } = ui.data,
      frames = ui.sides[0],
      steps = frames.map((frame) => frame.about.step);
    clock.last = frames.length - 1;
    clock.at = Math.min(clock.at, clock.last);
    slide.max = clock.last;
    slide.disabled = clock.last < 1;
    node.setAttribute("aria-label", words.timeline);
    slide.setAttribute("aria-label", words.scrub);
    speed.setAttribute("aria-label", words.speed);
    speed.replaceChildren(
      ...SPEEDS.map((each) => element("option", { value: each, selected: each === clock.speed }, `${each}×`)),
    );
    loopText.data = words.loop;
    alignText.data = words.align;
    align.replaceChildren(
      ...ALIGNS.map((each) => element("option", { value: each, selected: each === ui.align }, words.aligns[each])),
    );
    alignLabel.hidden = ui.sides.length < 2;
    const place = (at) => `left: ${(100 * at) / Math.max(1, clock.last)}%`;
    marks.replaceChildren(
      ...steps.map((step, index) =>
        element("i", { class: "tick", style: place(index), "aria-hidden": "true", "data-step": step }),
      ),
      ...events.map((event) =>
        eventMark(ui, event, place(positionOf(steps, event.step)), positionOf(steps, event.step)),
      ),
    );
    label();
  };
  /** Numbers at as many ticks as there is room for. */
  const label = () => {
    const ticks = [...marks.querySelectorAll(".tick")],
      size = stageOf(ui.root).size,
      each = strip.clientWidth / Math.max(1, ticks.length - 1),
      every = Math.max(1, Math.ceil((size * 4.2) / Math.max(1, each)));
    ticks.forEach((tick, index) => {
      const last = index === ticks.length - 1,
        shown = last || (index % every === 0 && ticks.length - 1 - index >= every);
      tick.textContent = shown ? brief(Number(tick.dataset.step)) : "";
    });
  };
  const show = () => {
    const { words } = ui.data,
      { about } = ui.now(0).frame;
    play.textContent = clock.playing ? words.pause : words.play;
    slide.value = clock.at;
    slide.setAttribute("aria-valuetext", `${words.step} ${about.step.toLocaleString()}`);
  };
  return { node, update, show, label };
}

/** An event on the strip: pointing at it says what, a click goes there. */
function eventMark(ui, event, style, at) {
  const said = `${ui.data.words.step} ${event.step.toLocaleString()}: ${event.what}`;
  return element("button", {
    type: "button",
    class: "event",
    style,
    title: said,
    "aria-label": said,
    onclick: () => ((ui.clock.playing = false), ui.clock.go(Math.round(at))),
    onpointerenter: () => ui.tell(said),
    onfocus: () => ui.tell(said),
  });
}
