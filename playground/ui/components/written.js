/* What a model wrote while it learned, large: the newest on top, what it wrote before fading below; follows the cursor. */
const pages = new WeakMap();

export default register(function ({ data, parentElement }) {
  let page = pages.get(parentElement);
  if (!page) pages.set(parentElement, (page = new Written(parentElement)));
  page.update(data);
  return () => {
    pages.delete(parentElement);
    page.close();
  };
});

class Written {
  constructor(parent) {
    this.list = element("ol", { class: "written", tabindex: 0 });
    parent.querySelector(".root").replaceChildren(this.list);
    this.cursor = null; // the step looked at in a chart; null: the newest
    this.onCursor = ({ detail }) => {
      if (detail.step === this.cursor) return;
      this.cursor = detail.step;
      this.show();
    };
    window.addEventListener(CURSOR, this.onCursor);
  }

  close() {
    window.removeEventListener(CURSOR, this.onCursor);
    this.list.remove();
  }

  update(data) {
    this.data = data;
    this.list.setAttribute("aria-label", data.words.title);
    this.list.style.setProperty("--line", data.colour);
    this.show();
  }

  show() {
    const { samples, words } = this.data;
    const until = samples.filter(({ step }) => this.cursor === null || step <= this.cursor);
    const shown = (until.length ? until : samples.slice(0, 1)).slice(-this.data.most).reverse();
    const state = JSON.stringify([shown.map(({ step }) => step), words, samples[0]]);
    if (state === this.state) return;
    this.state = state;
    if (!shown.length) {
      this.list.replaceChildren(element("li", { class: "first" }, element("div", { class: "text" }, words.none)));
      return;
    }
    this.list.replaceChildren(
      ...shown.map((sample, age) => {
        const body = sampleBody(sample, words);
        if (sample.said) body.dataset.written = sample.step; // by a model: no text that it is going to read
        return element(
          "li",
          { "data-step": sample.step, style: `--age: ${age}` },
          element("span", { class: "step" }, [age ? "" : words.title, sample.said].filter(Boolean).join(" · ")),
          body,
        );
      }),
    );
    this.list.scrollTop = 0;
  }
}
