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

/** A whole SVG file on the page's own ground. */
const svgFile = (root, inner, width, height, font = "monospace") =>
  `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${width}" height="${height}"` +
  ` viewBox="0 0 ${width} ${height}" font-family="${safe(font)}"><rect width="100%" height="100%" fill="${themed(root)[1]}"/>${inner}</svg>`;

/** Two buttons. `picture()` gives the text of an SVG file and its size: [svg, width, height]; null while nothing is drawn. */
function saveButtons(file, picture) {
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
  return [
    ["PNG", png],
    ["SVG", svg],
  ].map(([name, act]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "save";
    button.textContent = name;
    button.onclick = () => {
      const drawn = picture();
      if (drawn) act(drawn);
    };
    return button;
  });
}
