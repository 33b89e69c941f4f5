// What is drawn where: the tensors of a frame in the order in which the model computes them, and what each is called.
const LAYER_PARTS = [
  "attention.weights",
  "cross.weights",
  "mlp.hidden",
  ...["", "reverse."].flatMap((way) =>
    [
      "gates.input",
      "gates.forget",
      "gates.reset",
      "gates.update",
      "gates.cell",
      "gates.candidate",
      "gates.output",
      "cell",
      "hidden",
    ].map((part) => way + part),
  ),
  "output",
];
const SHARES = /(^|\.)((attention|cross)\.weights|gates\.(input|forget|output|reset|update))$/; // from 0 to 1 by themselves
const WIDTHS = { map: 1.6, tape: 2.2, norms: 1.1 }; // in heights of a row

/** "encoder.layers.2.reverse.cell" is { side: "encoder", layer: 2, part: "reverse.cell" }; layer is null outside of them. */
function placeOf(name) {
  const [, side = "", rest] = name.match(/^(?:(encoder|decoder)\.)?(.*)$/),
    inLayer = rest.match(/^layers\.(\d+)\.(.*)$/),
    recurrent = rest.match(/^(.*)_l(\d+)(_reverse)?$/); // as PyTorch names the weights of recurrent layers
  if (inLayer) return { side, layer: Number(inLayer[1]), part: inLayer[2] };
  if (recurrent) return { side, layer: Number(recurrent[2]), part: recurrent[1] + (recurrent[3] || "") };
  return { side, layer: null, part: rest };
}

/** What a part is called, at length or in short (0, 1); what has no words keeps its name. */
function wordsOf(part, words, length = 0) {
  const turned = part.match(/^reverse\.(.*)$/);
  if (turned) return `← ${wordsOf(turned[1], words, length)}`;
  return words.parts[part]?.[length] ?? part;
}

/** "Decoder, layer 1, head 2: attention weights". */
function titleOf(key, frame, words) {
  const [name, head] = splitKey(key),
    { side, layer, part } = placeOf(name);
  const where = [
    side && words[side],
    layer !== null && words.layer.replace("{n}", layer),
    frame.tensors[name]?.shape.length > 2 && words.head.replace("{n}", head),
  ].filter(Boolean);
  const what = wordsOf(part, words);
  return where.length ? `${where.join(", ")}: ${what}` : what;
}

const isOfWeights = (frame) => frame.about.kind.startsWith("weights");

/** The tokens along the rows and the columns of a tensor, and what the axes are called; null where they are no tokens. */
function axesOf(key, frame, words) {
  const [name] = splitKey(key),
    { side, part } = placeOf(name),
    { about } = frame;
  if (isOfWeights(frame)) return { rows: null, columns: null, names: [words.axes.out, words.axes.in] };
  const own = side === "encoder" ? about.source_pieces : about.pieces,
    looks = /^(attention|cross)\.(weights|scores)$/.test(part),
    slice = sliceOf(frame, key),
    fits = (pieces, n) => (pieces && pieces.length === n ? pieces : null);
  if (looks) {
    const seen = part.startsWith("cross") ? about.source_pieces : own;
    return {
      rows: fits(own, slice.rows),
      columns: fits(seen, slice.columns),
      names: [words.axes.query, words.axes.key],
    };
  }
  const rows = /^cross\.[kv]$/.test(part) ? about.source_pieces : own;
  const last = part === "logits" && slice.rows === 1 && own ? own.slice(-1) : rows;
  return {
    rows: fits(last, slice.rows),
    columns: null,
    names: [words.axes.token, part === "logits" ? words.axes.vocabulary : words.axes.channel],
  };
}

/** The lanes of the picture: [{ side, rows: [{ layer, groups: [{ part, form, width, keys }] }] }]. */
function lanesOf(frame) {
  const names = Object.keys(frame.tensors),
    sides = ["encoder", "decoder", ""].filter((side) =>
      names.some((name) => name !== "logits" && placeOf(name).side === side),
    );
  const shown = isOfWeights(frame) ? weightRows : activationRows;
  return sides
    .map((side) => ({
      side,
      rows: shown(
        frame,
        names.filter((name) => name !== "logits" && placeOf(name).side === side),
      ),
    }))
    .filter(({ rows }) => rows.length);
}

function activationRows(frame, names) {
  const at = new Map(names.map((name) => [`${placeOf(name).layer} ${placeOf(name).part}`, name])),
    layers = [...new Set(names.map((name) => placeOf(name).layer).filter((layer) => layer !== null))].sort(
      (a, b) => a - b,
    ),
    rows = [];
  const group = (layer, part) => at.has(`${layer} ${part}`) && groupOf(frame, at.get(`${layer} ${part}`), part);
  const first = group(null, "embeddings");
  if (first) rows.push({ layer: null, groups: [first] });
  for (const layer of layers) {
    const groups = LAYER_PARTS.map((part) => group(layer, part)).filter(Boolean);
    if (groups.length) rows.push({ layer, groups });
  }
  return rows;
}

function groupOf(frame, name, part) {
  const { shape } = frame.tensors[name];
  if (shape.length > 2)
    return { name, part, form: "heads", keys: Array.from({ length: shape[0] }, (_, head) => `${name}:${head}`) };
  const form =
    part === "output"
      ? "norms"
      : /gates\.|cell$|hidden$|embeddings/.test(part) && part !== "mlp.hidden"
        ? "tape"
        : "map";
  return { name, part, form, width: WIDTHS[form], keys: [name] };
}

const WEIGHT_PARTS = [
  "attention.qkv",
  "attention.q",
  "attention.kv",
  "attention.output",
  "cross.q",
  "cross.kv",
  "cross.output",
];
WEIGHT_PARTS.push("mlp.gate", "mlp.up", "mlp.down", "recurrent.weight_ih", "recurrent.weight_hh");
/** In which order the matrices of a layer are used; those that are not known come last. */
const usedAt = ({ part }) => {
  const at = WEIGHT_PARTS.indexOf(part.replace(/\.weight$/, ""));
  return at < 0 ? WEIGHT_PARTS.length : at;
};

/** Matrices, layer by layer; vectors (norms and biases) are reached by their names. */
function weightRows(frame, names) {
  const rows = new Map();
  for (const name of names) {
    const { shape } = frame.tensors[name],
      { layer, part } = placeOf(name);
    if (shape.length !== 2 || Math.min(...shape) < 2) continue;
    const row = layer ?? (/embedding/.test(part) ? -1 : Infinity); // the embedding comes before the layers, the head after
    if (!rows.has(row)) rows.set(row, { layer, groups: [] });
    const width = Math.max(0.7, Math.min(1.8, shape[1] / shape[0]));
    rows.get(row).groups.push({ name, part, form: "map", width, keys: [name] });
  }
  return [...rows]
    .sort(([a], [b]) => a - b)
    .map(([, row]) => ({ ...row, groups: row.groups.sort((a, b) => usedAt(a) - usedAt(b)) }));
}

/** Colours of the same kind mean the same in all layers: the tensors that share a scale, by a name without the layer. */
const scaleName = (name) => name.replace(/layers\.\d+\./, "layers.*.").replace(/_l\d+/, "_l*");
