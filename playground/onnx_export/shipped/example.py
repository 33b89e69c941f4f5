"""Uses this model: python example.py "a text". Needs onnxruntime, tokenizers and numpy."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

here = Path(__file__).parent
about = json.loads((here / "playground.json").read_text(encoding="utf-8"))
tokenizer = Tokenizer.from_file(str(here / "tokenizer.json"))
PAD, BOS, EOS, MASK = about["ids"]
BEFORE, AFTER = about["frame"]  # what the model learnt to see around every text


def encode(text, names=False):
    """Token ids without the frame; ``names``: special tokens are read where a text names them, else they are letters."""
    tokenizer.encode_special_tokens = not names
    return tokenizer.encode(text, add_special_tokens=False).ids


def framed(ids):
    """The ids that the model reads: within the frame, which stays whole where a text is cut."""
    room = max(0, about["context_length"] - len(BEFORE) - len(AFTER))
    return [*BEFORE, *ids[:room], *AFTER]


def start(session, batch=1):
    """An empty cache or state."""
    made = {}
    for value in session.get_inputs():
        if value.name in ("past_hidden", "past_cell"):
            made[value.name] = np.zeros((about["n_layers"], batch, about["d_model"]), np.float32)
        elif value.name.startswith("past_key_values"):
            made[value.name] = np.zeros((batch, about["n_kv_heads"], 0, about["head_dim"]), np.float32)
    return made


def run(session, ids, state, before, more):
    """Logits after the last token, and the state to go on from."""
    feed = {"input_ids": np.array([ids], np.int64), **state, **more}
    names = [value.name for value in session.get_inputs()]
    if "attention_mask" in names:
        feed["attention_mask"] = np.ones((1, before + len(ids)), np.int64)
    if "position_ids" in names:
        feed["position_ids"] = np.arange(before, before + len(ids), dtype=np.int64)[None]
    outputs = [value.name for value in session.get_outputs() if not value.name.startswith("attentions")]
    made = dict(zip(outputs, session.run(outputs, feed)))
    logits = made.pop("logits")[0, -1]
    return logits, {
        name.replace("present.", "past_key_values.").replace("present_", "past_"): x for name, x in made.items()
    }


def opened(text):
    """A text to continue, without the spaces at its end where words hold the space before them: the next brings its own."""
    bare = about["pairs"] or about["mask"]["spaces"] == "none"
    return text if bare else re.sub(r"(?<=\S) +\Z| \Z", "", text)


def write(prompt, most=64):
    """Greedy tokens after a prompt."""
    more, first = {}, {}
    ids = encode(about["template"].replace("{question}", prompt) if about["pairs"] else opened(prompt))
    if about["architecture"] in ("encoder-decoder", "lstm-attention"):
        reader = ort.InferenceSession(str(here / "encoder_model.onnx"))
        ids = ids[-about["context_length"] :]
        mask = np.ones((1, len(ids)), np.int64)
        names = [value.name for value in reader.get_outputs() if not value.name.startswith("attentions")]
        more = dict(zip(names, reader.run(names, {"input_ids": np.array([ids], np.int64), "attention_mask": mask})))
        more["encoder_attention_mask"] = mask
        first = {name: more.pop(name) for name in names if name.startswith("past")}  # where an LSTM begins
        ids, session = [BOS], ort.InferenceSession(str(here / "decoder_model.onnx"))
    else:
        session = ort.InferenceSession(str(here / "model.onnx"))
        ids = ids + [BOS] if about["pairs"] else [*BEFORE, *ids] or [EOS]
    recurrent = about["architecture"] in ("rnn", "lstm", "gru", "lstm-attention")
    room = len(ids) + most if recurrent else about["context_length"]
    new, state, length, written = ids[-room:], start(session) | first, 0, []
    while len(written) < most:
        logits, state = run(session, new, state, length, more)
        length += len(new)
        token = int(logits.argmax())
        if token == EOS:
            break
        written.append(token)
        new = [token]
        if length >= room:  # full: the last half is read anew
            new, state, length = [*ids, *written][-max(1, room // 2) :], start(session), 0
    text = tokenizer.decode(written)
    return text if opened(prompt) == prompt else text.removeprefix(" ")


def hide(text):
    """Token ids of a text with <mask> for hidden words; where words hold the space before them, a mask takes it too."""
    if about["mask"]["spaces"] == "theirs":  # as tokenizer.json says
        return encode(text.replace("<mask>", about["mask"]["name"]), names=True)
    *parts, last = text.split("<mask>")
    ids = []
    for part in parts:
        ids += [*encode(part.removesuffix(" ") if about["mask"]["spaces"] == "one" else part), MASK]
    return ids + encode(last)


def fill(text):
    """The likeliest token for each <mask> in a text."""
    session = ort.InferenceSession(str(here / "model.onnx"))
    ids = framed(hide(text))
    feed = {"input_ids": np.array([ids], np.int64), "attention_mask": np.ones((1, len(ids)), np.int64)}
    (logits,) = session.run(["logits"], feed)
    said = [int(logits[0, i].argmax()) if token == MASK else token for i, token in enumerate(ids)]
    return tokenizer.decode(said[len(BEFORE) : len(said) - len(AFTER)])


def read(ids):
    """The labels' probabilities: of the text, or at each token."""
    session = ort.InferenceSession(str(here / "model.onnx"))
    ids = np.array([framed(ids)], np.int64)
    (logits,) = session.run(["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    shares = np.exp(logits[0] - logits[0].max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


def classify(text):
    """Each label and how likely it is, the likeliest first."""
    shares = read(encode(text))
    return "\n".join(f"{shares[i]:7.2%}  {about['labels'][i]}" for i in np.argsort(-shares))


def tag(text):
    """Each word and its label, read where the word ends."""
    ids, ends, words = [], [], re.findall(about["pieces"], text)
    for word in words:
        ids += encode(word)
        ends.append(len(ids) - 1)
    best = read(ids)[len(BEFORE) :].argmax(-1)
    pairs = [(word.strip(), about["labels"][best[end]]) for word, end in zip(words, ends) if end < len(best)]
    return "\n".join(f"{word}\t{label}" for word, label in pairs)


def use(text):
    """What the model is for."""
    if about["task"]:
        return classify(text) if about["task"] == "classify" else tag(text)
    if about["objective"] == "mlm":
        return fill(text)
    return f"{text}\n{write(text)}" if about["pairs"] else text + write(text)


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    print(use(" ".join(sys.argv[1:]) or about["begin"]))
