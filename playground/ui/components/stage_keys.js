// The keys of the stage that only the server can answer: a digit chooses a head, L another way to draw.
export default register(function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  document.removeEventListener("playground:key", root.heard);
  root.heard = (event) => {
    if (!data.keys.includes(event.detail)) return;
    event.preventDefault();
    setTriggerValue("pressed", { key: event.detail, at: Date.now() });
  };
  document.addEventListener("playground:key", root.heard);
  return () => document.removeEventListener("playground:key", root.heard);
});
