// PNG and SVG of a plotly chart on the same page: its layers one above the other, without what answers to the mouse.
export default register(function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  if (root.file === data.file) return;
  root.file = data.file;
  // the entries of the menu alone: they stand in one with the numbers
  const [, menu] = saveButtons(data.file, () => {
    const plot = document.querySelector(`.st-key-${CSS.escape(data.chart)} .js-plotly-plot`);
    if (!plot?.querySelector(".main-svg")) return null;
    const { width, height } = plot.getBoundingClientRect();
    const layers = [...plot.querySelectorAll(".main-svg")].map((layer) => {
      const copy = layer.cloneNode(true);
      copy.querySelectorAll(".hoverlayer, .modebar, .drag, .zoomlayer").forEach((part) => part.remove());
      copy.style.background = "none";
      return new XMLSerializer().serializeToString(copy);
    });
    return [svgFile(root, layers.join(""), width, height, "sans-serif"), width, height];
  });
  root.replaceChildren(...menu.children);
});
