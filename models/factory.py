"""From a spec to a model, and what the model will cost."""

from torch import nn

from models.costs import Flops, Memory, flops_per_token, memory
from models.initialise import initialise
from models.parameter_counts import parameter_counts
from models.recurrent import Recurrent
from models.spec import ModelSpec, SpecError
from models.transformer import EncoderDecoder, Transformer

__all__ = ["Flops", "Memory", "build", "flops_per_token", "memory", "parameter_counts"]


def build(spec: ModelSpec) -> nn.Module:
    """The model of a spec, with fresh parameters from torch's global random numbers (``torch.manual_seed``).

    Raises:
        SpecError: when the spec has no vocabulary yet.
    """
    if not spec.vocab_size:
        raise SpecError(
            "This model has no vocabulary yet.",
            "It comes from the tokenizer: use spec.replace(vocab_size=...).",
        )
    if spec.is_recurrent:
        model = Recurrent(spec)
    elif spec.architecture == "encoder-decoder":
        model = EncoderDecoder(spec)
    else:
        model = Transformer(spec)
    initialise(model, spec)
    return model
