"""The lines of Python and of JavaScript that use an export, out of what lies in its folder."""

from typing import Any

import streamlit as st

from playground.onnx_export.first_text import MASK
from playground.ui.language import t

PYTHON = {
    "classify": 'from example import classify\n\nprint(classify("{text}"))  # each label and its probability',
    "tag": 'from example import tag\n\nprint(tag("{text}"))  # each word and its label',
    "fill": 'from example import fill\n\nprint(fill("{text}"))  # what stands at each <mask>',
    "write": 'from example import write\n\nprint(write("{text}", most=40))  # 40 tokens, greedy decoding',
}
"""What ``example.py`` of the folder is asked for, by what the model does."""
JAVASCRIPT = {
    "classify": """const [logits] = await demo.read(demo.encode("{text}"));
console.log(demo.labels[logits.indexOf(Math.max(...logits))]);""",
    "tag": """const rows = await demo.read(demo.encode("{text}")); // logits of each token
console.log(rows.map((row) => demo.labels[row.indexOf(Math.max(...row))]));""",
    "fill": """const ids = demo.hide("{text}"), rows = await demo.read(ids); // logits of each token
console.log(demo.decode(rows.map((row) => row.indexOf(Math.max(...row)))));""",
    "write": """const ids = [];
for await (const token of demo.write("{text}", 40, 0, () => false)) ids.push(token); // temperature 0
console.log(demo.decode(ids));""",
}
"""What ``demo.html`` of the folder is asked for: it holds the graph and the tokenizer."""
FRAME = """<iframe id="model" src="demo.html" hidden></iframe>
<script type="module">
const frame = document.getElementById("model");
await new Promise((go) => (frame.onload = go));
const { demo } = frame.contentWindow;
await demo.ready;
%s
</script>"""


def kind_of(task: str, objective: str) -> str:
    """What a model does, as a key of `PYTHON`.

    Args:
        task: "classify", "tag" or "".
        objective: of its training.
    """
    return task or ("fill" if objective == "mlm" else "write")


def python_lines(kind: str, text: str) -> str:
    """A program that lies in the unpacked folder and uses the model."""
    return f"# pip install onnxruntime tokenizers numpy\n{PYTHON[kind].replace('{text}', _quoted(text))}"


def javascript_lines(kind: str, text: str) -> str:
    """A page that lies in the unpacked folder and uses the model."""
    return FRAME % JAVASCRIPT[kind].replace("{text}", _quoted(text))


def show_lines(report: dict[str, Any], kind: str, text: str) -> None:
    """Both, each with a button that copies it."""
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(f"**{t('Use it in Python, in the unpacked folder')}**")
        st.code(python_lines(kind, text), language="python", wrap_lines=True)
    with right:
        if report.get("demo", True):
            st.markdown(f"**{t('Use it in a browser, beside the demo page')}**")
            st.code(javascript_lines(kind, text), language="html", wrap_lines=True)


def _quoted(text: str) -> str:
    """A text as it may stand between double quotes in both languages, and in a page; a mask stays one."""
    plain = " ".join(text.split())
    end = max(60, plain.find(MASK) + len(MASK))
    plain = plain[:end].replace("\\", " ").replace('"', "'")
    return MASK.join(part.replace("<", " ") for part in plain.split(MASK)) or "The "
