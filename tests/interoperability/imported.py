"""Models that transformers saved, imported: the logits must be those that transformers gave."""

import subprocess
from pathlib import Path

from tests.interoperability.environments import Tool

WITHIN = 1e-4


def imported(transformers: Tool | None, home: Path) -> int:
    """How many of them give other logits here."""
    import torch
    from safetensors.torch import load_file

    from playground.huggingface.import_run import import_folder
    from playground.training.load_model import load_model

    if transformers is None:
        print("import: not checked, transformers could not be installed here")
        return 0
    place = home / "saved"
    place.mkdir()
    command = transformers.command(Path(__file__).parent / "from_transformers.py", str(place))
    subprocess.run(command, env=transformers.env, check=True, timeout=600, capture_output=True)
    failed = 0
    for kept in sorted(place.glob("*.safetensors")):
        said, model = load_file(kept), load_model(import_folder(place / kept.stem))
        with torch.no_grad():
            apart = (model(said["ids"]).logits - said["logits"]).abs().max().item()
        failed += not apart <= WITHIN
        print(f"import, {kept.stem}: logits differ by at most {apart:.1e}" + ("" if apart <= WITHIN else ": too much"))
    return failed
