/** One thing that a model wrote: a text, answers to questions, or filled blanks. */
function sampleBody(sample, words) {
  if (sample.kind === "answers")
    return element(
      "div",
      { class: "answers" },
      ...sample.examples.flatMap(({ source, target, answer }) => [
        element("span", { class: "source" }, source),
        element("span", { class: answer === target ? "right" : "wrong" }, answer || "∅"),
        element("span", { class: "target" }, answer === target ? "✓" : `✗ ${target}`),
      ]),
    );
  if (sample.kind === "blanks")
    return element(
      "div",
      { class: "text" },
      ...sample.tokens.map((token, i) => {
        const blank = sample.blanks.indexOf(i);
        if (blank < 0) return token.includes("\n") ? `${visible(token)}\n` : visible(token);
        const right = sample.filled[i] === token,
          share = Math.round(sample.probabilities[blank] * 100);
        return element(
          "mark",
          { class: right ? "right" : "wrong", title: `${words.truth}: ${token} · ${share} %` },
          visible(sample.filled[i]),
        );
      }),
    );
  return element("div", { class: "text" }, element("span", { class: "prompt" }, sample.prompt || ""), sample.text);
}
