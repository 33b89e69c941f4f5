// Tokens as boxes. Drawn anew only where the data changed; hover and keyboard stay in the browser.

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  const primary = "var(--st-primary-color)";
  let strip = root.querySelector(".strip");
  if (!strip) {
    root.innerHTML = '<div class="strip" role="group"></div><div class="tip" role="tooltip" hidden></div>';
    strip = root.querySelector(".strip");
  }
  const tip = root.querySelector(".tip");
  strip.setAttribute("aria-label", data.label);
  const selected = new Set(data.selected);
  const boxes = [];
  data.tokens.forEach((token, index) => {
    const box = document.createElement(data.clickable ? "button" : "span");
    box.className = "token mono";
    if (data.clickable) {
      box.type = "button";
      box.onclick = () => setTriggerValue("clicked", { index, at: Date.now() });
      box.setAttribute("aria-pressed", selected.has(index));
    }
    box.textContent = visible(token.text);
    const colour = token.colour || data.colour || primary;
    if (token.value != null) box.style.setProperty("--share", `${Math.round(8 + 62 * Math.min(1, Math.max(0, token.value)))}%`);
    box.style.setProperty("--box", colour);
    box.classList.toggle("valued", token.value != null || Boolean(token.colour));
    box.classList.toggle("dashed", Boolean(token.dashed));
    box.classList.toggle("muted", Boolean(token.muted));
    box.classList.toggle("selected", selected.has(index));
    if (token.tip) {
      const say = () => {
        tip.textContent = token.tip;
        tip.hidden = false;
        const place = box.getBoundingClientRect(), frame = root.getBoundingClientRect();
        tip.style.left = `${Math.max(0, Math.min(place.left - frame.left, frame.width - tip.offsetWidth))}px`;
        tip.style.top = `${place.bottom - frame.top + 4}px`;
      };
      box.onpointerenter = say;
      box.onfocus = say;
      box.onpointerleave = box.onblur = () => { tip.hidden = true; };
    }
    boxes.push(box);
    if (token.text.includes("\n")) {
      const line = document.createElement("span");
      line.className = "line";
      boxes.push(line);
    }
  });
  const focused = [...strip.querySelectorAll(".token")].indexOf(parentElement.activeElement);
  strip.replaceChildren(...boxes);
  if (focused >= 0) strip.querySelectorAll(".token")[focused]?.focus();
}
