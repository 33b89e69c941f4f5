// Streamlit makes a step of the browser's history of every change of the address, so that "back" would undo a typed
// text key by key. Only another page is a step, and a run or view that somebody chose; everything else replaces the
// address in place, also the run and view that a page fills in by itself while it opens.
if (!history.pushState.calm) {
  const push = history.pushState.bind(history),
    replace = history.replaceState.bind(history);
  const page = ({ pathname }) => pathname.replace(/\/$/, "");
  const asked = ({ searchParams }, name) => searchParams.get(name);
  const shown = (address) => ["run", "view"].map((name) => asked(address, name)).join(" ");
  const toTop = () => document.querySelector('[data-testid="stMain"]')?.scrollTo(0, 0);
  let touched = false;
  // What a page tells of its address can come before the browser has left the page before. Then the address at the last
  // click was the one of that page, and "back" leads to it.
  let clicked = location.href;
  addEventListener("click", () => (clicked = location.href), true);
  const undoEarly = (from, to) => {
    const before = new URL(clicked);
    if (page(before) === page(from) && from.search === to.search && before.search !== from.search) {
      replace(history.state, "", before.href);
    }
  };
  for (const kind of ["pointerdown", "keydown"]) {
    addEventListener(
      kind,
      ({ target }) => {
        touched = !target.closest?.("a[href]");
      },
      true,
    ); // a link opens another page
  }
  history.pushState = (state, title, address) => {
    const [from, to] = [new URL(location.href), new URL(address || "", location.href)];
    const step = !address || page(from) !== page(to) || (touched && shown(from) !== shown(to));
    if (step) touched = false;
    if (page(from) !== page(to)) undoEarly(from, to);
    (step ? push : replace)(state, title, address);
    if (step && asked(from, "run") !== asked(to, "run")) toTop(); // another run is looked at from its beginning
  };
  // A link from a page to itself, as from a run to the plan of a new one: Streamlit draws it and leaves the address; one in
  // the menu it passes over, until the address changes as by "back".
  const MENU = 'a[data-testid="stTopNavLink"], a[data-testid="stSidebarNavLink"]';
  addEventListener(
    "click",
    (event) => {
      const link = event.target.closest?.(`[data-testid="stPageLink"] a[href], ${MENU}`);
      if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      const [from, to] = [new URL(location.href), new URL(link.href)];
      if (page(from) !== page(to) || from.search === to.search) return;
      push(null, "", to.href);
      if (link.matches(MENU)) dispatchEvent(new PopStateEvent("popstate"));
      toTop();
    },
    true,
  );
  history.pushState.calm = true;
}
