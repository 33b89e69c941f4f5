// Typing stays in the browser; 80 ms after the last key the text is sent, and the bars that come back glide.
const WAIT = 80;

export default register(function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  let box = root.querySelector("textarea");
  if (!box) {
    root.innerHTML = `<label><span class="label"></span><textarea class="mono" rows="3" spellcheck="false" autocapitalize="off"
      autocomplete="off"></textarea></label><p class="read mono"></p><div class="title"></div><ol class="bars"></ol><p class="note faint"></p>`;
    box = root.querySelector("textarea");
    box.value = data.text;
  }
  box.rows = stageOf(root).fills ? 1 : 3;
  onResize(root, root, () => stageOf(root));
  root.querySelector(".read").textContent = box.value;
  const sends = sender(root, box, () => setStateValue("text", box.value));
  const send = (wait) => {
    root.querySelector(".read").textContent = box.value;
    root.classList.toggle("stale", data.answerTo !== box.value); // a token may write nothing: then no answer comes
    sends(wait);
  };
  box.oninput = () => send(WAIT);
  root.querySelector(".label").textContent = data.words.label;
  root.querySelector(".title").textContent = data.answerTo === null ? data.words.loading : data.words.next;
  root.querySelector(".note").textContent = data.note;
  root.style.setProperty("--bar", data.colour);
  root.classList.toggle("stale", data.answerTo !== box.value);
  clearInterval(root.again); // until the model is there; the same answer twice does not call this function again
  if (data.answerTo === null) root.again = setInterval(() => setTriggerValue("again", Date.now()), 500);

  const bars = root.querySelector(".bars");
  bars.style.setProperty("--rows", Math.max(1, data.options.length));
  while (bars.children.length > data.options.length) bars.lastChild.remove();
  while (bars.children.length < data.options.length) {
    const row = document.createElement("li");
    row.innerHTML =
      '<button type="button"><span class="piece mono"></span><span class="track"><span class="fill"></span></span><span class="share"></span></button>';
    bars.append(row);
  }
  data.options.forEach((option, index) => {
    const button = bars.children[index].firstChild;
    button.title = data.words.append;
    button.querySelector(".piece").textContent = visible(option.piece);
    button.querySelector(".fill").style.width = `${100 * option.p}%`;
    button.querySelector(".share").textContent = percent(option.p);
    button.setAttribute("aria-label", `${visible(option.piece)} ${percent(option.p)}`);
    button.onclick = () => {
      if (root.classList.contains("stale")) return;
      box.value += option.text;
      box.scrollTop = box.scrollHeight;
      send(0);
    };
  });
  return () => {
    clearTimeout(root.timer);
    clearInterval(root.again);
    root.watcher?.disconnect();
  };
});
