"""A model in PyTorch answers as its export does."""

import numpy as np
import pytest

from playground import gallery
from playground.inference.engine import Engine
from playground.inference.sampling import Sampling
from playground.onnx_export.export import export
from playground.text.tokenizers import Tokenizer
from playground.training.load_model import load_model


@pytest.mark.usefixtures("own_home")
@pytest.mark.parametrize(
    ("name", "text"), [("bible-decoder", "And God said"), ("bible-lstm", "And"), ("dates", "3 May 2020 =")]
)
def test_the_generate_page_writes_the_same_with_it(name, text):
    from playground.generation.jobs import GenerationJob
    from playground.generation.predict import open_prompt
    from playground.generation.torch_model import TorchGenerator

    run = gallery.get(name)
    engine, model = Engine(export(run).folder), load_model(run)
    tokenizer = Tokenizer.load(run.tokenizer_path)
    prompt = open_prompt(model.spec, tokenizer, text, name == "dates")
    writers = (TorchGenerator(model), engine.clone(), engine.clone())
    jobs = [GenerationJob(used, tokenizer, prompt, Sampling(0.7), 90, seed=4) for used in writers]
    for job in jobs:
        job.start()  # the two on the engine at the same time: each has a cache of its own
    for job in jobs:
        job.wait()
        assert not job.error
    torch_, *ours = jobs
    for job in ours:
        assert [token.id for token in job.tokens] == [token.id for token in torch_.tokens] and job.ended == torch_.ended
        np.testing.assert_allclose(
            [token.probability for token in job.tokens], [token.probability for token in torch_.tokens], atol=1e-4
        )
