"""``make interop``: exports of the three known architectures, and of a tagger, in software that is not ours, token
for token.

Each tool lives in an environment of its own (onnxruntime-genai brings another onnxruntime, which would break ours), made in
a temporary folder. A tool that cannot be installed is said and skipped; one that writes other tokens fails the check.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.interoperability.environments import (
    GENAI,
    TRANSFORMERS,
    TRANSFORMERS_JS,
    Tool,
    node_with,
    python_with,
)
from tests.interoperability.imported import imported

HERE = Path(__file__).parent
PROMPT = "The file object returns a list of names and values"
MOST = 40
MODELS = {"llama": "clm", "gpt2": "clm", "bert": "mlm"}
DATE = "May 3, 2001 ="


def main() -> int:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        home = Path(place)
        os.environ["PLAYGROUND_HOME"] = str(home)
        right = {name: exported(name, objective, home) for name, objective in MODELS.items()}
        right["tagger"] = tuned(home, "tag")
        tools = {
            "transformers": (python_with(home / "py", TRANSFORMERS, torch=True), tuple(right)),
            "onnxruntime-genai": (python_with(home / "genai", GENAI, "tokenizers"), ("llama", "gpt2")),
            "transformers.js": (node_with(home / "js", TRANSFORMERS_JS), tuple(MODELS)),
        }
        failed = 0
        for name, (tool, models) in tools.items():
            if tool is None:
                print(f"{name}: not checked, it could not be installed here")
                continue
            script = HERE / f"in_{name.replace('-', '_')}.py"
            if name == "transformers.js":
                script = Path(shutil.copy(HERE / "in_transformers_js.mjs", home / "js" / "check.mjs"))
            for model in models:
                said = told(tool, script, home / model)
                same = said == right[model]
                failed += not same
                print(f"{name}, {model}: " + (f"the same {len(said)} tokens" if same else f"other tokens: {said}"))
        right |= {"classifier": tuned(home, "classify"), "lstm": exported("lstm", "clm", home), "dates": dates(home)}
        for model, said in in_browser(home).items():
            same = said == right[model]
            failed += not same
            print(
                f"demo.html in a browser, {model}: "
                + (f"the same {len(said)} tokens" if same else f"other tokens: {said}")
            )
        failed += imported(tools["transformers"][0], home)
        return 1 if failed else 0


def in_browser(home: Path) -> dict[str, list[int]]:
    """What the exports' own pages write, in Chromium, with ONNX Runtime from npm inside them; nothing without Chromium."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import FLAGS, chromium

    if not chromium() or not shutil.which("npm"):
        print("demo.html: not checked, there is no Chromium or no npm here")
        return {}
    write = """async ([text, most]) => {
      const said = [];
      for await (const token of demo.write(text, most, 0, () => false)) said.push(token);
      return said;
    }"""
    read = "async ([text]) => (await demo.read(demo.encode(text))).map((row) => row.indexOf(Math.max(...row)))"
    told = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        for name in ("llama", "gpt2", "bert", "lstm", "dates", "tagger", "classifier"):
            page = browser.new_page()
            page.goto((home / name / "demo.html").as_uri())
            page.get_by_text("Ready.").wait_for(timeout=60_000)
            text = DATE if name == "dates" else PROMPT
            told[name] = page.evaluate(read if name in ("bert", "tagger", "classifier") else write, [text, MOST])
            page.locator("#text").fill(text)
            page.get_by_role("button").click()
            page.wait_for_function("!['', '…'].includes(out.textContent + told.textContent) && told.textContent != '…'")
            assert "went wrong" not in page.locator("#told").inner_text(), page.locator("#told").inner_text()
            page.close()
        browser.close()
    return told


def exported(name: str, objective: str, home: Path) -> list[int]:
    """A short run of a preset, exported; what torch says to the prompt."""
    import torch

    from models.generate import decode
    from models.presets import PRESETS
    from playground.onnx_export.export import export
    from playground.runs.config import RunConfig
    from playground.runs.store import RunStore
    from playground.text.spec import DataSpec
    from playground.text.tokenizers import Tokenizer
    from playground.training import worker
    from playground.training.load_model import load_model
    from playground.training.recipes import recipe

    training = recipe(f"{name}-tiny", steps=60, objective=objective, sample_every=0)
    run = RunStore().create(RunConfig(name, PRESETS[f"{name}-tiny"].spec, DataSpec("python-docs"), training))
    assert worker.run(run) == "finished", run.status().message
    export(run, to=home / name, offline_demo=bool(shutil.which("npm")))
    model, ids = load_model(run), Tokenizer.load(run.tokenizer_path).encode(PROMPT)
    if objective == "mlm":
        with torch.no_grad():
            return model(torch.tensor([ids])).logits[0].argmax(-1).tolist()
    return list(decode(model, ids, MOST))


def dates(home: Path) -> list[int]:
    """The encoder–decoder that ships with the app, exported; what torch answers."""
    from models.generate import decode
    from playground.onnx_export.export import export
    from playground.runs import gallery
    from playground.text.tokenizers import Tokenizer
    from playground.training.load_model import load_model

    run = gallery.get("dates")
    export(run, to=home / "dates", offline_demo=bool(shutil.which("npm")))
    tokenizer = Tokenizer.load(run.tokenizer_path)
    source = tokenizer.encode(DATE)
    return list(decode(load_model(run), [tokenizer.bos_id], MOST, stop_ids=[tokenizer.eos_id], source_ids=source))


def tuned(home: Path, task: str) -> list[int]:
    """The encoder, fine-tuned for some steps; torch's tag at each token of the prompt, or its class."""
    import torch

    from playground.finetune.plan import plan
    from playground.onnx_export.export import export
    from playground.runs.finetuning import FineTuneSpec, LabelledSpec
    from playground.runs.store import RunStore
    from playground.text.tokenizers import Tokenizer
    from playground.training import worker
    from playground.training.load_model import load_model

    rows = [{"words": ["a", word, "returns"], "tags": ["DET", "NOUN", "VERB"]} for word in PROMPT.split()] * 3
    if task == "classify":
        rows = [
            {"text": f"a {word} returns", "label": "long" if len(word) > 4 else "short"} for word in PROMPT.split()
        ] * 3
    path = home / f"{task}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = FineTuneSpec(task, LabelledSpec("file", path=str(path)))
    run = RunStore().create(plan(RunStore().get("bert"), spec, steps=20, sample_every=0))
    assert worker.run(run) == "finished", run.status().message
    export(run, to=home / {"tag": "tagger", "classify": "classifier"}[task], offline_demo=bool(shutil.which("npm")))
    ids = Tokenizer.load(run.tokenizer_path).encode(PROMPT)
    with torch.no_grad():
        logits = load_model(run)(torch.tensor([ids])).logits
    return logits.reshape(-1, logits.shape[-1]).argmax(-1).tolist()


def told(tool: Tool, script: Path, folder: Path) -> list[int] | str:
    """The tokens that a tool printed in its last line, or what it said instead."""
    command = tool.command(script, str(folder), PROMPT, str(MOST))
    done = subprocess.run(command, env=tool.env, capture_output=True, text=True, timeout=600)
    try:
        return json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return (done.stderr or done.stdout)[-600:]


if __name__ == "__main__":
    sys.exit(main())
