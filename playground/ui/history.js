// Streamlit makes a step of the browser's history of every change of the address, so that "back" would undo a typed
// text key by key. Only another page is a step, and a run or view that somebody chose; everything else replaces the
// address in place, also the run and view that a page fills in by itself while it opens.
if (!history.pushState.calm) {
  const push = history.pushState.bind(history), replace = history.replaceState.bind(history);
  const page = ({ pathname }) => pathname.replace(/\/$/, "");
  const shown = ({ searchParams }) => ["run", "view"].map((name) => searchParams.get(name)).join(" ");
  let touched = false;
  for (const kind of ["pointerdown", "keydown"]) {
    addEventListener(kind, ({ target }) => { touched = !target.closest?.("a[href]"); }, true); // a link opens another page
  }
  history.pushState = (state, title, address) => {
    const [from, to] = [new URL(location.href), new URL(address || "", location.href)];
    const step = !address || page(from) !== page(to) || (touched && shown(from) !== shown(to));
    if (step) touched = false;
    (step ? push : replace)(state, title, address);
  };
  history.pushState.calm = true;
}
