"""Weights that nobody will load: as many numbers as a run's model has, so that the run counts as sound."""

from models.parameter_counts import parameter_counts
from playground.runs.folder import RunFolder


def with_weights(run: RunFolder, step: int = 7) -> RunFolder:
    """Gives a run a checkpoint, and something for a tokenizer."""
    n = sum(parameter_counts(run.config().model).values())
    header = f'{{"w":{{"dtype":"U8","shape":[{n}],"data_offsets":[0,{n}]}}}}'.encode()
    run.save_checkpoint(step, {"model.safetensors": len(header).to_bytes(8, "little") + header + bytes(n)})
    run.tokenizer_path.write_text("{}")
    return run
