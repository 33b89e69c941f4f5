"""The living picture as one HTML file that plays alone: no server, no network, for slides."""

import html
import json
from collections.abc import Sequence

from playground.ui.components import FOLDER, PALETTE
from playground.ui.components.living import SCRIPTS, Event, living_data
from playground.ui.language import language

GROUND = """
:root { color-scheme: light dark; --st-text-color: #1f2430; --st-background-color: #fff; --st-border-color: #d6d9e0;
  --st-secondary-background-color: #f0f2f6; --st-primary-color: #0f6fb0; --st-font: system-ui, sans-serif;
  --st-code-font: ui-monospace, monospace; --label-size: clamp(14px, 1.6vw, 20px); --stage-height: calc(100vh - 4.5rem); }
@media (prefers-color-scheme: dark) { :root { --st-text-color: #e8eaf0; --st-background-color: #12141a;
  --st-border-color: #3a3f4b; --st-secondary-background-color: #1f232c; --st-primary-color: #6cb8ee; } }
@media (max-width: 720px) { :root { --stage-height: initial; } }
body { margin: 0; padding: 0.8rem 1.2rem; background: var(--st-background-color); color: var(--st-text-color);
  font-family: var(--st-font); }
h1 { font-size: 1.3rem; line-height: 1.2; margin: 0 0 0.5rem; }
"""
"""What Streamlit gives on a page: the colours of day and night, the fonts."""

PAGE = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; \
style-src 'unsafe-inline'; img-src data:">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main><h1>{title}</h1><div id="living"><div class="root"></div></div></main>
<script type="application/json" id="data">{data}</script>
<script type="module">
{script}
draw({{ data: JSON.parse(document.getElementById("data").textContent),
  parentElement: document.getElementById("living"), setStateValue() {{}} }});
</script>
</body>
</html>
"""


def living_page(
    title: str,
    frames: Sequence[bytes],
    events: Sequence[Event] = (),
    second: Sequence[bytes] = (),
    *,
    align: str = "step",
    pinned: Sequence[str] = (),
    names: Sequence[str] = (),
) -> str:
    """One HTML file with the timeline of these frames, for `playground.ui.components.living` says what they are.

    It asks for nothing from outside, and its policy forbids it: whatever a text holds, it is shown as text.
    """
    data = living_data(frames, "timeline", pinned, events, second, align, names=names)
    sources = [(FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in ("shared", *SCRIPTS, "living")]
    styles = [(FOLDER / f"{name}.css").read_text(encoding="utf-8") for name in ("common", "living")]
    return PAGE.format(
        lang=language(),
        title=html.escape(title),
        style="\n".join([PALETTE, GROUND, *styles]),
        script="\n".join(sources).replace("export default register(", "const draw = register("),
        data=json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),
    )
