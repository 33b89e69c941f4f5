// Layers × heads of small pictures. A canvas a head; one square each, so that the eye can compare.
export default register(function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  const [layers, heads, r, c] = data.shape;
  const bytes = Uint8Array.from(atob(data.values), (x) => x.charCodeAt(0));
  const table = ramp(onGround(data.colours, themed(root)[1]), 255),
    ink = themed(root)[0]; // a byte of 0 is no value
  const shape = `${layers} ${heads}`;
  if (root.shape !== shape) {
    root.shape = shape;
    root.replaceChildren(
      element(
        "div",
        { class: "grid", role: "group", "aria-label": data.words.all, style: `--heads: ${heads}` },
        ...Array.from({ length: layers }, (_, layer) => [
          element("span", { class: "layer" }, String(layer)),
          ...Array.from({ length: heads }, () =>
            element(
              "button",
              { type: "button", class: "head" },
              element("canvas", { width: 96, height: 96 }),
              element("span", { class: "label" }),
            ),
          ),
        ]).flat(),
      ),
      element("div", { class: "buttons" }),
    );
  }
  root.querySelectorAll("button.head").forEach((button, index) => {
    const layer = Math.floor(index / heads),
      head = index % heads,
      start = index * r * c;
    const canvas = button.firstChild,
      context = canvas.getContext("2d");
    const name = `${data.words.layer} ${layer}, ${data.words.head} ${head}`;
    context.clearRect(0, 0, 96, 96);
    if (data.lines) {
      context.strokeStyle = data.colour;
      for (let i = 0; i < r; i++)
        for (let j = 0; j < c; j++) {
          const weight = (bytes[start + i * c + j] - 1) / 254;
          if (weight < 0.08) continue;
          context.globalAlpha = weight;
          context.beginPath();
          context.moveTo(8, 4 + (88 * (i + 0.5)) / r);
          context.lineTo(88, 4 + (88 * (j + 0.5)) / c);
          context.stroke();
        }
      context.globalAlpha = 1;
    } else {
      const pixels = new ImageData(c, r);
      for (let i = 0; i < r * c; i++)
        if (bytes[start + i]) pixels.data.set([...table[bytes[start + i] - 1], 255], 4 * i);
      const picture = document.createElement("canvas");
      picture.width = c;
      picture.height = r;
      picture.getContext("2d").putImageData(pixels, 0, 0);
      if (bytes.subarray(start, start + r * c).includes(0)) hatch(context, ink, 0, 0, 96, 96);
      context.imageSmoothingEnabled = false;
      context.drawImage(picture, 0, 0, 96, 96);
    }
    button.title = `${name}\n${data.tips[layer][head]}`;
    button.setAttribute("aria-label", `${name}. ${data.tips[layer][head]}`);
    const off = data.off.some(([l, h]) => l === layer && h === head);
    button.setAttribute("aria-pressed", String(off || (layer === data.selected[0] && head === data.selected[1])));
    button.classList.toggle("off", off);
    button.querySelector(".label").textContent = data.labels[layer][head] || `${layer}.${head}`;
    button.classList.toggle("named", Boolean(data.labels[layer][head]));
    button.onclick = () => setTriggerValue("clicked", { layer, head, at: Date.now() });
  });

  /** The pictures as they stand, with what is written under them. */
  function picture() {
    const ink = themed(root)[0],
      size = 104,
      lines = [];
    const text = (x, y, words, more = "") =>
      lines.push(
        `<text x="${x}" y="${y}" fill="${ink}" font-size="11" text-anchor="middle" ${more}>${safe(words)}</text>`,
      );
    root.querySelectorAll("button.head").forEach((button, index) => {
      const x = 24 + (index % heads) * size,
        y = 8 + Math.floor(index / heads) * (size + 14);
      lines.push(
        `<image x="${x}" y="${y}" width="96" height="96" style="image-rendering:pixelated" href="${button.firstChild.toDataURL()}"/>`,
      );
      text(x + 48, y + 110, button.querySelector(".label").textContent);
      if (index % heads === 0) text(12, y + 52, String(index / heads));
    });
    const width = 24 + heads * size,
      height = 16 + layers * (size + 14);
    return [svgFile(root, lines.join(""), width, height, "sans-serif"), width, height];
  }
  root.firstChild.dataset.of = data.of;
  root.querySelector(".buttons").replaceChildren(...(data.tools ? saveButtons(data.file, picture) : []));
});
