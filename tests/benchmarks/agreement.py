"""``python -m tests.benchmarks.agreement RUN …``: how often the verbs of runs on ``task-elman`` agree, by depth."""

import sys

from playground.inspection.agreement import agreement, begun
from playground.runs.store import RunStore
from playground.text.elman import sentences
from playground.text.tokenizers import Tokenizer
from playground.training.load_model import load_model

DEPTHS = (0, 1, 2, 3)


def main(names: list[str]) -> None:
    """Prints a row a run: the share of new questions answered right, and of those with a misleading noun, at each depth."""
    print("| run | " + " | ".join(f"depth {depth}" for depth in DEPTHS) + " |\n|---" + "|---" * len(DEPTHS) + "|")
    for name in names:
        run = RunStore().get(name)
        config = run.config()
        known = begun(list(sentences(config.data.options, config.data.seed)))
        model, tokenizer = load_model(run).eval(), Tokenizer.load(run.tokenizer_path)
        cells = []
        for depth in DEPTHS:
            found = agreement(model, tokenizer, depth, known if depth else ())
            hard = f" ({found.right_misleading / found.misleading:.1%})" if found.misleading else ""
            cells.append(f"{found.right / found.total:.1%}{hard} of {found.total}")
        print(f"| {config.name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main(sys.argv[1:])
