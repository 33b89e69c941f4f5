// Streamlit makes a step of the browser's history of every change of the address, so that "back" would undo a typed
// text key by key. Only another page, run or view is a step; everything else replaces the address in place.
if (!history.pushState.calm) {
  const push = history.pushState.bind(history);
  const place = (address) => {
    const { pathname, searchParams } = new URL(address, location.href);
    return [pathname.replace(/\/$/, ""), ...["run", "view"].map((name) => searchParams.get(name))].join(" ");
  };
  history.pushState = (state, title, address) =>
    (address && place(address) === place(location.href) ? history.replaceState.bind(history) : push)(state, title, address);
  history.pushState.calm = true;
}
