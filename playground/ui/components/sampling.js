// What playground/inference/sampling.py does, in the browser, so that a slider never waits for the server.
// A test holds both to the same numbers.
function softmax(scores) {
  let most = -Infinity;
  for (const score of scores) if (score > most) most = score;
  const result = new Float64Array(scores.length);
  let total = 0;
  for (let i = 0; i < scores.length; i++) total += result[i] = Math.exp(scores[i] - most);
  for (let i = 0; i < scores.length; i++) result[i] /= total;
  return result;
}

function samplingSteps(logits, sampling, seen) {
  let scores = Float64Array.from(logits);
  const history = [{ name: "model", p: softmax(scores) }];
  const penalty = sampling.repetition_penalty;
  if (penalty !== 1 && seen.length) {
    for (const id of new Set(seen)) scores[id] = scores[id] > 0 ? scores[id] / penalty : scores[id] * penalty;
    history.push({ name: "repetition penalty", p: softmax(scores) });
  }
  if (sampling.temperature === 0) {
    let best = 0;
    for (let i = 1; i < scores.length; i++) if (scores[i] > scores[best]) best = i;
    const only = new Float64Array(scores.length);
    only[best] = 1;
    history.push({ name: "greedy", p: only });
    return history;
  }
  if (sampling.temperature !== 1) {
    const most = scores.reduce((a, b) => Math.max(a, b), -Infinity);
    scores = scores.map((score) => (score - most) / sampling.temperature); // the best at 0: no temperature overflows
    history.push({ name: "temperature", p: softmax(scores) });
  }
  for (const [name, keep] of [
    ["top-k", keepTopK],
    ["top-p", keepTopP],
    ["min-p", keepMinP],
  ]) {
    const kept = keep(history[history.length - 1].p, sampling);
    if (!kept) continue;
    scores = scores.map((score, i) => (kept[i] ? score : -Infinity));
    history.push({ name, p: softmax(scores) });
  }
  return history;
}

function ranked(p) {
  return Array.from(p.keys()).sort((a, b) => p[b] - p[a] || a - b);
}

function keepTopK(p, { top_k }) {
  if (!(0 < top_k && top_k < p.length)) return null;
  const kept = new Uint8Array(p.length);
  for (const i of ranked(p).slice(0, top_k)) kept[i] = 1;
  return kept;
}

function keepTopP(p, { top_p }) {
  if (top_p >= 1) return null;
  const kept = new Uint8Array(p.length);
  let reached = 0;
  for (const [place, i] of ranked(p).entries()) {
    if (place > 0 && reached >= top_p) break;
    kept[i] = 1;
    reached += p[i];
  }
  return kept;
}

function keepMinP(p, { min_p }) {
  if (min_p <= 0) return null;
  let most = 0;
  for (const value of p) if (value > most) most = value;
  return p.map((value) => (value >= min_p * most ? 1 : 0));
}
