"""What architectures and ways to cut a text into tokens are called, the same on every page."""

KIND_NAMES = {"bpe": "Byte pairs (BPE)", "char": "Characters", "byte": "Bytes", "word": "Words"}


TITLES = {
    "rnn": "RNN",
    "lstm": "LSTM",
    "gru": "GRU",
    "decoder": "Decoder",
    "encoder": "Encoder",
    "encoder-decoder": "Encoder–decoder",
}
