"""``make interop``: exports of the three known architectures in software that is not ours, token for token.

Each tool lives in an environment of its own (onnxruntime-genai brings another onnxruntime, which would break ours), made in
a temporary folder. A tool that cannot be installed is said and skipped; one that writes other tokens fails the check.
"""

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

HERE = Path(__file__).parent
PROMPT = "The file object returns a list of names and values"
MOST = 40
MODELS = {"llama": "clm", "gpt2": "clm", "bert": "mlm"}


def main() -> int:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        home = Path(place)
        os.environ["PLAYGROUND_HOME"] = str(home)
        right = {name: exported(name, objective, home) for name, objective in MODELS.items()}
        failed = 0
        for tool, prepare, models in (
            ("transformers", python_with("transformers==5.23.0", "torch"), tuple(MODELS)),
            ("onnxruntime-genai", python_with("onnxruntime-genai==0.18.0", "tokenizers"), ("llama", "gpt2")),
            ("transformers.js", node_with("@huggingface/transformers@3.8.1"), ("llama", "gpt2")),
        ):
            run = prepare(home / tool)
            if run is None:
                print(f"{tool}: not checked, it could not be installed here")
                continue
            for name in models:
                told = run(tool, home / name)
                same = told == right[name]
                failed += not same
                print(
                    f"{tool}, {name}: "
                    + (f"the same {len(right[name])} tokens" if same else f"other tokens: {told}")
                )
        return 1 if failed else 0


def exported(name: str, objective: str, home: Path) -> list[int]:
    """A short run of a preset, exported; what torch says to the prompt."""
    import torch

    from models.decode import decode
    from models.presets import PRESETS
    from playground.onnx_export.export import export
    from playground.runs.config import RunConfig
    from playground.runs.store import RunStore
    from playground.text.spec import DataSpec
    from playground.text.tokenizers import Tokenizer
    from playground.training import worker
    from playground.training.recipes import recipe
    from playground.training.saving import load_model

    training = recipe(f"{name}-tiny", steps=60, objective=objective, sample_every=0)
    run = RunStore().create(RunConfig(name, PRESETS[f"{name}-tiny"].spec, DataSpec("python-docs"), training))
    assert worker.run(run) == "finished", run.status().message
    export(run, to=home / name)
    model, ids = load_model(run), Tokenizer.load(run.tokenizer_path).encode(PROMPT)
    if objective == "mlm":
        with torch.no_grad():
            return model(torch.tensor([ids])).logits[0].argmax(-1).tolist()
    return list(decode(model, ids, MOST, lambda logits: int(logits.argmax())))


def python_with(*packages: str):
    """An environment with these packages; ``torch`` is ours, which a second copy of would be large."""

    def prepare(place: Path):
        venv.create(place, with_pip=True)
        python = place / "bin/python"
        wanted = [package for package in packages if package != "torch"]
        done = subprocess.run([python, "-m", "pip", "install", "-q", *wanted], capture_output=True, text=True)
        if done.returncode:
            return None
        ours = next(path for path in sys.path if path.endswith("site-packages"))
        env = {**os.environ, "PYTHONPATH": ours} if "torch" in packages else {**os.environ, "PYTHONPATH": ""}
        return lambda tool, folder: told(
            [str(python), str(HERE / f"in_{tool.replace('-', '_')}.py"), str(folder)], env
        )

    return prepare


def node_with(package: str):
    def prepare(place: Path):
        place.mkdir()
        try:  # without its scripts, one of which would fetch libraries for GPUs
            done = subprocess.run(
                ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", package],
                cwd=place,
                capture_output=True,
                timeout=300,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        if done.returncode:
            return None
        (place / "check.mjs").write_text((HERE / "in_transformers_js.mjs").read_text())
        return lambda tool, folder: told(["node", str(place / "check.mjs"), str(folder)], dict(os.environ))

    return prepare


def told(command: list[str], env: dict) -> list[int] | str:
    """The tokens that a tool printed in its last line, or what it said instead."""
    done = subprocess.run([*command, PROMPT, str(MOST)], env=env, capture_output=True, text=True, timeout=600)
    try:
        return json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return (done.stderr or done.stdout)[-600:]


if __name__ == "__main__":
    sys.exit(main())
