"""``python -m playground import``: a Hugging Face folder, or a zip file of it, as a run to start from."""

import argparse
from pathlib import Path


def add(commands) -> None:
    parser = commands.add_parser(
        "import",
        help="import a Hugging Face folder, or a zip file of it, as a run",
        description="Reads config.json, safetensors, and tokenizer.json or vocab.txt of a Llama, Mistral, Qwen2, GPT-2, BERT, "
        "DistilBERT, RoBERTa or ELECTRA model, or an export of LM Playground. Packed runs (runs pack) are unpacked.",
    )
    parser.add_argument("path", type=Path, metavar="FOLDER_OR_ZIP")
    parser.add_argument("--name", help="name of the run (default: that of the folder)")
    parser.add_argument(
        "--context",
        type=int,
        metavar="TOKENS",
        help="context length (default: that of the model, at most 2048 where positions are rotary)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from models.parameter_counts import parameter_counts
    from playground.finetune.sandboxed_import import import_sandboxed
    from playground.runs.overview import summary

    imported = import_sandboxed(options.path.expanduser(), name=options.name, context=options.context)
    about, model = imported.about(), imported.config().model
    if "source" not in about:  # a packed run, whose model came from here
        print(f"This is a packed run; it is {imported.id} here ({summary(imported).state}).")
        return
    shape = f"layers: {model.n_layers}, channels: {model.d_model:,}"
    heads = "" if model.is_recurrent else f", heads: {model.n_heads}"
    print(
        f"{about['source']}: {sum(parameter_counts(model).values()):,} parameters, {shape}{heads}, "
        f"tokens of the vocabulary: {model.vocab_size:,}, of the context: {model.context_length:,}."
    )
    for note in about["notes"]:
        print(note)
    print(
        f"The run is {imported.id}. Fine-tune it: python -m playground finetune {imported.id} --task classify --data NAME"
    )
