// Writing stays in the browser; it is sent when the keys rest a moment, and before anything else is clicked.
const REST = 250,
  REST_LONG = 900,
  LONG = 200000,
  LONG_PASTE = 50000;

export default register(function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".root");
  let box = root.querySelector("textarea");
  if (!box) {
    box = element("textarea", { spellcheck: "false" });
    root.replaceChildren(element("label", {}, element("span", { class: "label" }), box));
  }
  if (root.version !== data.version) {
    root.version = data.version;
    clearTimeout(root.timer);
    box.value = data.text;
    root.sent = data.text;
  }
  root.querySelector(".label").textContent = data.label;
  box.placeholder = data.placeholder;
  box.maxLength = 4 * data.longest; // what is a little too long is told, not cut
  const send = () => {
    clearTimeout(root.timer);
    if (box.value === root.sent) return;
    root.sent = box.value;
    setStateValue("typed", { version: data.version, text: box.value });
  };
  box.oninput = () => {
    clearTimeout(root.timer);
    root.timer = setTimeout(send, box.value.length > LONG ? REST_LONG : REST);
  };
  box.onblur = send;
  box.onpaste = (event) => {
    const text = event.clipboardData.getData("text/plain");
    if (text.length < LONG_PASTE) return;
    event.preventDefault(); // Chromium's own way takes minutes for a million characters
    box.setRangeText(text.slice(0, box.maxLength), box.selectionStart, box.selectionEnd, "end");
    send();
  };
  if (data.wanted && root.wanted !== data.wanted) {
    root.wanted = data.wanted;
    // The drawer that it was asked for in lies over the box on a phone.
    if (document.documentElement.dataset.drawer === "open") document.querySelector("[data-drawer-handle]")?.click();
    box.focus({ preventScroll: true });
    box.scrollIntoView({ block: "nearest" });
  }
  return () => clearTimeout(root.timer);
});
