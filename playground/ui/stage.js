// The drawer of the stage, and the keys of a presentation: ← → another view, Esc its end; space, digits and L are told to
// the drawings ("playground:key"), which know what they mean there.
if (!window.stageListens) {
  window.stageListens = true;
  const root = document.documentElement;
  const handles = () => document.querySelectorAll("[data-drawer-handle]");
  const remember = (open) => {
    root.dataset.drawer = open ? "open" : "closed";
    sessionStorage.setItem("drawer", root.dataset.drawer);
    handles().forEach((handle) => handle.setAttribute("aria-expanded", open));
  };
  root.dataset.drawer = sessionStorage.getItem("drawer") || "closed";
  new MutationObserver(() => {
    const open = String(root.dataset.drawer === "open");
    handles().forEach((handle) => {
      if (handle.getAttribute("aria-expanded") !== open) handle.setAttribute("aria-expanded", open);
    });
  }).observe(document.body, { childList: true, subtree: true });
  // What Streamlit and Plotly say in English alone, to those who hear it or point at it.
  let labels = {};
  const english = new WeakMap();
  const others = ':is([data-testid="stSelectbox"], [data-testid="stMultiSelect"]) button, .modebar-btn';
  const labelled = () =>
    document.querySelectorAll(others).forEach((element) => {
      const now = element.getAttribute("aria-label");
      if (!now) return;
      if (!english.has(element) || labels[now]) english.set(element, now);
      const wanted = labels[english.get(element)] || english.get(element);
      if (wanted === now) return;
      element.setAttribute("aria-label", wanted);
      if (element.dataset.title) element.dataset.title = wanted;
    });
  window.labelsOfOthers = (words) => {
    labels = words;
    labelled();
  };
  new MutationObserver(labelled).observe(document.body, { childList: true, subtree: true });
  document.addEventListener("click", ({ target }) => {
    if (target.closest?.("[data-drawer-handle]")) remember(root.dataset.drawer !== "open");
  });
  const writes = (target) => target?.matches?.("input, textarea, select, [contenteditable=true]");
  const inside = (target) => (target?.shadowRoot?.activeElement ? inside(target.shadowRoot.activeElement) : target);
  const step = (by) => {
    const tabs = [
      ...document.querySelectorAll(
        '.st-key-stage-views [role="radio"], .st-key-stage-views button, .st-key-stage-views a',
      ),
    ];
    const now = tabs.findIndex((tab) =>
      tab.matches('[aria-checked="true"], [aria-current], [data-testid$="Active"], [kind$="Active"]'),
    );
    tabs[(now + by + tabs.length) % tabs.length]?.click();
  };
  document.addEventListener("keydown", (event) => {
    const { key } = event;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = inside(document.activeElement);
    if (key === "Escape" && root.dataset.drawer === "open") return remember(false);
    if (writes(at)) return;
    const presents = getComputedStyle(root).getPropertyValue("--form").trim() === "none";
    if (key === "Escape" && presents) document.querySelector(".st-key-frame-present button")?.click();
    else if (presents && (key === "ArrowRight" || key === "ArrowLeft") && !at?.matches?.("canvas, [role=slider]"))
      step(key === "ArrowRight" ? 1 : -1);
    else if (
      /^[1-9]$/.test(key) ||
      key.toLowerCase() === "l" ||
      (key === " " && !at?.matches?.("button, a, summary"))
    ) {
      const asked = new CustomEvent("playground:key", { detail: key.toLowerCase(), cancelable: true });
      if (!document.dispatchEvent(asked)) event.preventDefault();
    }
  });
}
