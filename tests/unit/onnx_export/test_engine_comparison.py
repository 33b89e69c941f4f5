"""All engines write the same text, each in its turn."""

from playground import gallery
from playground.onnx_export.engine_comparison import EngineComparison, same_share
from playground.onnx_export.export import export
from playground.text.tokenizers import Tokenizer
from playground.training.load_model import load_model


def test_the_race_is_run_by_all_and_they_agree():
    run = gallery.get("bible-decoder")
    made = export(run, precisions=("fp32", "int8"))
    tokenizer = Tokenizer.load(run.tokenizer_path)
    race = EngineComparison(load_model(run), made.folder, tokenizer.encode("And God said"), 24).start()
    race.wait()
    assert race.is_over
    names = [runner.name for runner in race.runners]
    assert names == ["torch, no cache", "torch, cache", "ONNX fp32", "ONNX int8"]
    assert all(runner.tokens == 24 and runner.speed > 0 and not runner.error for runner in race.runners)
    assert same_share(race.runners[2], race.runners[1]) == 1.0 and same_share(race.runners[0], race.runners[1]) == 1.0


def test_an_encoder_decoder_races_with_its_answer():
    run = gallery.get("dates")
    made = export(run, precisions=("fp32", "fp16"))
    tokenizer = Tokenizer.load(run.tokenizer_path)
    race = EngineComparison(
        load_model(run), made.folder, [tokenizer.bos_id], 10, tokenizer.encode("May 3, 2001 =")
    ).start()
    race.wait()
    for runner in race.runners:
        assert runner.error == "" and runner.provider in ("CPU", "CUDA")
        assert tokenizer.decode(runner.text) == "2001-05-03", runner.name
