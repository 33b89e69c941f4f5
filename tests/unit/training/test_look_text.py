"""The text that is read: as the run's objective reads its own."""

from playground.runs import look
from playground.runs.look import LookRequest
from playground.text.targets import IGNORE_INDEX
from playground.text.tokenizers import Tokenizer
from tests.support.watched import make, train, watched


def test_a_persons_text_is_read_through_the_runs_tokenizer(new_run):
    run = new_run()
    with watched([LookRequest(text="def look(self): "), LookRequest(text="é" * 3000)]) as frames:
        train(run)
    tokenizer = Tokenizer.load(run.tokenizer_path)
    ids = tokenizer.encode("def look(self): ")[:16]  # the context has 16 tokens, and characters keep their last space
    about = frames[0].about
    assert about["ids"] == ids and about["pieces"] == tokenizer.pieces(ids)
    assert about["targets"] == [*ids[1:], IGNORE_INDEX]
    assert len(frames[1].about["ids"]) == 16


def test_a_persons_pair_is_read_as_training_reads_it(new_run):
    for name in ("encoder-decoder", "decoder of pairs"):
        run = make(new_run, name)
        with watched([LookRequest(source="12+34", text="46"), LookRequest(source="12+34")]) as frames:
            train(run)
        tokenizer = Tokenizer.load(run.tokenizer_path)
        question, answer, bos = tokenizer.encode("12+34"), tokenizer.encode("46"), tokenizer.bos_id
        whole, begun = frames[0].about, frames[1].about
        before = [] if name == "encoder-decoder" else question
        assert whole["source_ids"] == (question if name == "encoder-decoder" else None)
        assert whole["ids"] == [*before, bos, *answer] and begun["ids"] == [*before, bos]
        assert whole["targets"] == [*[IGNORE_INDEX] * len(before), *answer, tokenizer.eos_id]
        assert begun["targets"] is None and begun["loss"] is None


def test_masks_that_a_person_typed_are_filled_and_other_texts_are_masked(new_run):
    run = make(new_run, "encoder")
    with watched([LookRequest(text="the <mask> is", prompt="a <mask>"), LookRequest(text="a longer text")]) as frames:
        train(run)
    tokenizer = Tokenizer.load(run.tokenizer_path)
    typed, hidden = frames[0].about, frames[1].about
    assert typed["ids"][typed["position"]] == tokenizer.mask_id and typed["targets"] is None
    places = [i for i, target in enumerate(hidden["targets"]) if target != IGNORE_INDEX]
    ids = tokenizer.encode("a longer text")
    assert places and [hidden["targets"][i] for i in places] == [ids[i] for i in places]
    assert len(tokenizer.encode(look.written(run)["text"])) == len(tokenizer.encode("a <mask>", specials=True))
