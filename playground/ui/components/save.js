// Pictures to take away, as they are seen: an SVG, or the same drawn twice as large as a PNG.
const safe = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");

function handOver(file, kind, content) {
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = url;
  link.download = `${file}.${kind}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/** The colours of the page that a component stands on: [of letters, of the ground]. */
function themed(root) {
  const style = getComputedStyle(root);
  return [style.color, style.getPropertyValue("--st-background-color").trim() || "#ffffff"];
}

/** A thin line's colour on the page's own ground: what is seen on paper is lost on black. */
const lineOn = (root, colour) => (isDark(themed(root)[1]) ? `color-mix(in srgb, ${colour} 50%, #d8ecff)` : colour);

/** A whole SVG file on the page's own ground. */
const svgFile = (root, inner, width, height, font = "monospace") =>
  `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${width}" height="${height}"` +
  ` viewBox="0 0 ${width} ${height}" font-family="${safe(font)}"><rect width="100%" height="100%" fill="${themed(root)[1]}"/>${inner}</svg>`;

const ARROW =
  '<svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.6"' +
  ' stroke-linecap="round" stroke-linejoin="round"><path d="M8 2v8M4.8 7 8 10.2 11.2 7M3 13.5h10"/></svg>';

/**
 * A small menu at the corner of a drawing: PNG, SVG, and what else it can give. `picture()` gives the text of an SVG file
 * and its size: [svg, width, height]; null while nothing is drawn. `more` are further entries: [[name, act], …].
 */
function saveButtons(file, picture, more = []) {
  const svg = ([text]) => handOver(file, "svg", new Blob([text], { type: "image/svg+xml" }));
  const png = ([text, width, height]) => {
    const image = new Image();
    const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
    image.onload = () => {
      const canvas = document.createElement("canvas"),
        scale = Math.min(2, 12000 / Math.max(width, height));
      canvas.width = width * scale;
      canvas.height = height * scale;
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      URL.revokeObjectURL(url);
      canvas.toBlob((blob) => handOver(file, "png", blob));
    };
    image.src = url;
  };
  const ofPicture = (act) => () => {
    const drawn = picture();
    if (drawn) act(drawn);
  };
  const entries = [["PNG", ofPicture(png)], ["SVG", ofPicture(svg)], ...more].map(([name, act]) =>
    element("button", { type: "button", class: "save", onclick: () => (act(), list.hidePopover()) }, name),
  );
  // In the browser's top layer, so that nothing around the drawing cuts it off; a click beside it or Esc folds it.
  const list = element("div", { class: "save-list", popover: "auto" }, ...entries);
  const opener = element("button", {
    type: "button",
    class: "save-menu",
    title: spoken.saved,
    "aria-label": spoken.saved,
    "aria-expanded": "false",
  });
  opener.innerHTML = ARROW;
  opener.popoverTargetElement = list;
  const fold = () => list.hidePopover();
  list.ontoggle = ({ newState }) => {
    const open = newState === "open";
    opener.setAttribute("aria-expanded", open);
    window[open ? "addEventListener" : "removeEventListener"]("scroll", fold, true);
    if (!open) return;
    const at = opener.getBoundingClientRect();
    list.style.top = `${Math.min(at.bottom + 4, innerHeight - list.offsetHeight - 4)}px`;
    list.style.left = `${Math.max(4, Math.min(at.left, innerWidth - list.offsetWidth - 4))}px`;
  };
  return [opener, list];
}

/** A table of numbers as the text of a CSV file. */
const csvOf = (rows, columns, values) => {
  const cell = (text) => (/[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
  const line = (name, cells) => [cell(name), ...cells].join(",");
  const of = (i) => Array.from(values.subarray(i * columns.length, (i + 1) * columns.length));
  const lines = rows.map((row, i) =>
    line(
      row,
      of(i).map((v) => (Number.isFinite(v) ? String(v) : "")),
    ),
  );
  return [line("", columns.map(cell)), ...lines].join("\n") + "\n";
};
const saveNumbers = (file, rows, columns, values) => [
  ["CSV", () => handOver(file, "csv", new Blob([csvOf(rows, columns, values)], { type: "text/csv" }))],
];
