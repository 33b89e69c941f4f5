"""Tokens that are sampled on the device, against the CPU's."""

import numpy as np
import pytest

from playground.core.errors import PlaygroundError
from playground.inference import device_sampling
from playground.inference.binding import buffer_of, read_buffer, write_buffer
from playground.inference.device_sampling import DeviceSampler
from playground.inference.engine import Engine
from playground.inference.sampling import Sampling, steps
from playground.inference.step_names import BLOCK
from tests.support import gpu_double
from tests.support.made_exports import DECODERS, PAIRS
from tests.support.written_texts import RECURRENT


def broken(*sizes):
    raise PlaygroundError("no kernel image")


class TestDrawing:
    """Sampling that stays on the device, for a vocabulary where it does."""

    def test_a_second_source_is_answered_like_the_first(self, exports, gpu):
        _, folder = exports(PAIRS["as published"].replace(vocab_size=5000))
        draw = lambda engine, source: list(engine.generate([1], 12, Sampling(0.9), seed=5, source_ids=source))
        engine = Engine(folder)
        draw(engine, [7, 9, 30])
        assert draw(engine, [5, 44]) == draw(Engine(folder), [5, 44])
        assert engine.model.device_step.sampler is not None

    @pytest.mark.parametrize("kind", ["refuses_capture", "breaks_capture", "breaks"])
    def test_where_a_card_refuses_it_is_drawn_kernel_by_kernel_or_on_the_cpu(self, kind, exports, gpu, monkeypatch):
        _, folder = exports(self.LSTM)
        right = list(Engine(folder, device="cpu").generate([5, 9], 20, Sampling(0.9), seed=2))
        engine, twin = Engine(folder), None
        if kind == "breaks":  # later than the laps were captured: of the sampler's graph alone
            monkeypatch.setattr(device_sampling, "_opened", broken)
        else:
            monkeypatch.setattr(gpu, kind, True)
            twin = engine.clone()
        for each in filter(None, (engine, twin)):
            assert list(each.generate([5, 9], 20, Sampling(0.9), seed=2)) == right
        assert (engine.model.device_step.sampler is None) == (kind == "breaks")

    def test_all_who_draw_share_a_session(self, exports, gpu):
        _, folder = exports(self.LSTM)
        engine = Engine(folder)
        twins = [engine.clone() for _ in range(3)]
        for each in twins:
            list(each.generate([5, 9], 3, Sampling(0.9)))
        assert len({id(way.session) for each in twins for way in each.model.device_step.sampler._runs}) == 1

    SPEC = DECODERS["gpt2"].replace(vocab_size=5000)

    LSTM = RECURRENT["lstm"].replace(vocab_size=5000)

    @pytest.mark.parametrize("sampling", [Sampling(0.8), Sampling(1.3, min_p=0.05), Sampling(0)], ids=repr)
    def test_the_same_seed_draws_the_same_tokens_as_the_cpu(self, sampling, exports, gpu):
        _, folder = exports(self.LSTM)
        on_gpu, on_cpu = (Engine(folder, device=device) for device in ("cuda", "cpu"))
        ours, theirs = (
            list(engine.write([5, 9], 40, sampling, np.random.default_rng(7))) for engine in (on_gpu, on_cpu)
        )
        assert on_gpu.model.device_step.sampler is not None, "it was drawn on the device"
        assert [each.token for each in ours] == [each.token for each in theirs]
        for name in ("probability", "drawn"):
            a, b = (np.array([getattr(each, name) for each in said]) for said in (ours, theirs))
            np.testing.assert_allclose(a, b, rtol=1e-3)
        assert [each.token for each in ours] == list(on_gpu.generate([5, 9], 40, sampling, seed=7))

    @pytest.mark.parametrize("vocab_size", [4096, 4097, 5000, 9000])
    def test_a_draw_is_that_of_the_cpu(self, vocab_size, gpu):
        """Token by token against `sampling.choose`, whose running sum is in 64 bits: another token may be drawn only where the
        number that decides falls on the border between two.
        """
        rng = np.random.default_rng(vocab_size)
        scores, tokens = (
            buffer_of(np.zeros((4, vocab_size), np.float32), "cuda"),
            buffer_of(np.zeros((4, 1), np.int64), "cuda"),
        )
        sampler = DeviceSampler(scores, [tokens])
        for round_ in range(60):
            sampling = Sampling([0.0, 0.3, 1.0, 2.5, 1e-5][round_ % 5], min_p=[0.0, 0.02, 0.5][round_ % 3])
            logits = rng.normal(0, rng.choice([0.1, 3, 20]), (4, vocab_size)).astype(np.float32)
            uniforms = rng.random(4)
            uniforms[round_ % 4] = [0.0, 1 - 1e-9][round_ % 2]
            write_buffer(scores, logits)
            drawn, probabilities, shares = sampler.sample(0, sampling, uniforms)
            assert drawn.tolist() == read_buffer(tokens)[:, 0].tolist()
            for row, token, uniform, p, share in zip(logits, drawn, uniforms, probabilities, shares, strict=True):
                history = steps(row, sampling)
                reached = np.cumsum(history[-1][1])
                assert history[-1][1][token] > 0, "a token that was ruled out"
                if sampling.temperature:
                    before = reached[token] - history[-1][1][token]
                    assert before - 2e-5 <= uniform * reached[-1] <= reached[token] + 2e-5
                else:
                    assert token == row.argmax()
                assert p == pytest.approx(history[0][1][token], rel=1e-3, abs=1e-12)
                assert share == pytest.approx(history[-1][1][token], rel=1e-3)

    def test_logits_stay_on_the_device(self, exports, gpu, monkeypatch):
        _, folder = exports(self.SPEC)
        engine = Engine(folder)
        read = []
        numpy = gpu_double.Value.numpy
        monkeypatch.setattr(gpu_double.Value, "numpy", lambda self: read.append(self.shape()) or numpy(self))
        list(engine.write([5, 9], 12, Sampling(0.8), np.random.default_rng(7)))
        list(engine.generate([5, 9], 12))
        assert read and all(np.prod(shape) <= BLOCK for shape in read)
        assert engine.model.device_step.sampler is not None

    def test_steps_that_sort_or_look_back_are_drawn_on_the_cpu(self, exports, gpu):
        _, folder = exports(self.LSTM)
        for sampling in (Sampling(0.8, top_k=20), Sampling(top_p=0.9), Sampling(repetition_penalty=1.2)):
            on_gpu, on_cpu = (Engine(folder, device=device) for device in ("cuda", "cpu"))
            ours, theirs = (
                [each.token for each in engine.write([5, 9], 25, sampling, np.random.default_rng(7))]
                for engine in (on_gpu, on_cpu)
            )
            assert on_gpu.model.device_step.sampler is None and ours == theirs
