// Values as colours on the page's own ground, and cells that may not be looked at, as hatched paper.
/** "#rrggbb" or "rgb(…)" as [r, g, b]. */
const channels = (colour) =>
  colour.startsWith("#")
    ? [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16))
    : (colour.match(/[\d.]+/g) || []).slice(0, 3).map(Number);

/** A scale { day, night } as it is on this ground; null among its colours is the ground itself. */
const onGround = (scale, ground) => (isDark(ground) ? scale.night : scale.day).map((colour) => colour ?? ground);

/** `n` colours between those given, as [r, g, b]. An odd n has the middle one among them, exactly. */
function ramp(colours, n) {
  const parts = colours.map(channels);
  return Array.from({ length: n }, (_, index) => {
    const at = (index / (n - 1)) * (parts.length - 1),
      low = Math.min(parts.length - 2, Math.floor(at));
    return parts[low].map((value, channel) => Math.round(value + (parts[low + 1][channel] - value) * (at - low)));
  });
}

const APART = 6; // pixels between two lines of the hatching

/** Hatches a part of a canvas: what is drawn over it covers the lines again. */
function hatch(g, ink, x, y, width, height) {
  g.save();
  g.beginPath();
  g.rect(x, y, width, height);
  g.clip();
  g.strokeStyle = ink;
  g.globalAlpha = 0.22;
  g.lineWidth = 1;
  g.beginPath();
  for (let from = x - height; from < x + width; from += APART) (g.moveTo(from, y + height), g.lineTo(from + height, y));
  g.stroke();
  g.restore();
}

/** The same for an SVG file. */
const svgHatch = (ink, x, y, width, height) =>
  `<defs><pattern id="hatch" width="${APART}" height="${APART}" patternUnits="userSpaceOnUse"><path d="M0,${APART} L${APART},0" stroke="${ink}" stroke-opacity="0.22"/></pattern></defs>` +
  `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="url(#hatch)"/>`;
