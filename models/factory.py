"""From a spec to a model."""

from models.bahdanau import LstmAttention
from models.initialise import initialise
from models.language_model import LanguageModel
from models.recurrent import Recurrent
from models.spec import ModelSpec, SpecError
from models.transformer import EncoderDecoder, Transformer


def build(spec: ModelSpec) -> LanguageModel:
    """The model of a spec, with fresh parameters from torch's global random numbers (``torch.manual_seed``).

    Raises:
        SpecError: when the spec has no vocabulary yet.
    """
    if not spec.vocab_size:
        raise SpecError(
            "This model has no vocabulary yet.",
            "It comes from the tokenizer: use spec.replace(vocab_size=...).",
        )
    if spec.architecture == "lstm-attention":
        model = LstmAttention(spec)
    elif spec.is_recurrent:
        model = Recurrent(spec)
    elif spec.architecture == "encoder-decoder":
        model = EncoderDecoder(spec)
    else:
        model = Transformer(spec)
    initialise(model, spec)
    return model
