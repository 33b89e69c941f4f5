"""What is looked at: a run, one of its checkpoints, and a text as the model is fed it."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import streamlit as st

from models.hyperparameters import PAIRED, RECURRENT, WITH_ATTENTION
from playground.core.errors import PlaygroundError
from playground.runs.folder import RunFolder
from playground.ui import cached, links
from playground.ui.language import t
from playground.ui.messages import plain
from playground.ui.run_picker import gives_labels, name_of

LONGEST = 512
"""Tokens: more would not be read in a picture, and every view has to follow the typing."""
MORE = 4
"""Tokens that an answer may have beyond what is asked for."""
MOST_WEIGHTS = (
    160_000_000  # of attention, of all layers and heads, that one text may have: GPT-2 has 151 million at 1,024 tokens
)


@dataclass(frozen=True)
class Scene:
    """A run and a text.

    Attributes:
        run: the run.
        step: the checkpoint whose weights are looked at.
        text: what was typed; for pairs of texts the source.
        target: pairs only: what is written in answer.
    """

    run: RunFolder
    step: int
    text: str
    target: str = ""

    @property
    def architecture(self) -> str:
        return self.run.about()["model"]["architecture"]

    @property
    def is_recurrent(self) -> bool:
        return self.architecture in RECURRENT + WITH_ATTENTION

    @property
    def has_attention(self) -> bool:
        """Whether there are attention weights to look at: also of a recurrent decoder that looks at its source."""
        return self.architecture not in RECURRENT

    @property
    def has_source(self) -> bool:
        """Whether source and target are fed apart (to an encoder and a decoder)."""
        return self.architecture in PAIRED

    @property
    def objective(self) -> str:
        """ "clm", "mlm" or "seq2seq"."""
        return self.run.about()["training"]["objective"]

    def model(self) -> Any:
        """The model in evaluation mode on the CPU, shared by everybody: never change its weights."""
        return cached.model(self.run, self.step)

    def tokenizer(self) -> Any:
        return cached.tokenizer(self.run)

    def ids(self) -> list[int]:
        """What the model is fed, at least one token and at most :meth:`longest`.

        A decoder and a recurrent model get the text (pairs: source, <bos>, target), an encoder–decoder's decoder <bos>
        and the target. A text begins with <eos> where it has no token. A model from elsewhere gets what it learnt to see
        around a text, whole also where the text is cut.
        """
        return [*self._all_ids[: self.longest() - len(self._after)], *self._after] if self.is_cut() else self._all_ids

    def source_ids(self) -> list[int]:
        """Encoder–decoder only: what the encoder reads."""
        ids = self.tokenizer().encode(self.text)[: self.longest()]
        if not ids:
            raise PlaygroundError("This model answers a text, and there is none.", "Type one.")
        return ids

    def tokens(self) -> list[str]:
        """The pieces that :meth:`ids` stand for."""
        return self.tokenizer().pieces(self.ids())

    def source_tokens(self) -> list[str]:
        return self.tokenizer().pieces(self.source_ids())

    def writes(self, step: int | None = None) -> list[str]:
        """What comes out at each place of :meth:`ids`, as "→ 2": the token after it, at the last one the likeliest.

        Args:
            step: the checkpoint that is asked for the last; the scene's own unless told.
        """
        source = tuple(self.source_ids()) if self.has_source else None
        last = likeliest(str(self.run.path), self.step if step is None else step, tuple(self.ids()), source)
        return coming_out(self.tokenizer().pieces([*self.ids()[1:], last]))

    def longest(self) -> int:
        """How many tokens can be looked at: learned positions end with the context, other kinds go on; of a model with very
        many heads fewer, as the weights of all of them are kept.
        """
        spec = self.model().spec
        if spec.is_recurrent:
            return LONGEST
        most = max(16, math.isqrt(MOST_WEIGHTS // (spec.n_layers * spec.n_heads)))
        return min(most, spec.context_length if spec.position == "learned" else LONGEST)

    def positions_end(self) -> bool:
        """Whether the model has learned no position after `longest`."""
        spec = self.model().spec
        return not spec.is_recurrent and spec.position == "learned" and self.longest() == spec.context_length

    def is_cut(self) -> bool:
        """Whether the text has more tokens than are looked at."""
        return len(self._all_ids) > self.longest()

    def beyond(self) -> int:
        """How many of the tokens stand further back than the model was trained for."""
        return max(0, len(self.ids()) - self.model().spec.context_length)

    @cached_property
    def _all_ids(self) -> list[int]:
        tokenizer = self.tokenizer()
        if self.has_source:
            return [tokenizer.bos_id, *tokenizer.encode(self.target)]
        goes_on = self.objective == "clm" and not self.is_pairs and not self.gives_labels
        text = tokenizer.to_continue(self.text) if goes_on else self.text
        ids = tokenizer.encode(text, specials=self.objective == "mlm")
        if self.is_pairs and self.objective == "clm":
            return [*ids, tokenizer.bos_id, *tokenizer.encode(self.target)]
        return [*tokenizer.frame[0], *ids, *self._after] or [tokenizer.eos_id]

    @cached_property
    def _after(self) -> tuple[int, ...]:
        """What a model that reads whole texts learnt to see after each."""
        return self.tokenizer().frame[1] if self.objective == "mlm" or self.gives_labels else ()

    @property
    def is_pairs(self) -> bool:
        """Whether the run learnt to answer one text with another."""
        return self.run.about().get("data_shape") == "pairs"

    @property
    def gives_labels(self) -> bool:
        """Whether the run was fine-tuned to label texts or words: it says no next token."""
        return gives_labels(self.run)

    def said(self) -> str:
        """One line: whose numbers these are."""
        n = len(self.ids())
        return t(
            "From {run}, step {step:,}, {n:,} tokens." if n != 1 else "From {run}, step {step:,}, 1 token.",
            run=plain(name_of(self.run)),
            step=self.step,
            n=n,
        )


def coming_out(pieces: list[str]) -> list[str]:
    """Tokens as names of the places that write them; the space is one that is not made visible."""
    return [f"→\N{NO-BREAK SPACE}{piece}" for piece in pieces]


@st.cache_data(max_entries=256, show_spinner=False)
def likeliest(path: str, step: int, ids: tuple[int, ...], source: tuple[int, ...] | None) -> int:
    """The token that a model would write next."""
    from models.generate import decode

    return int(next(iter(decode(cached.model(RunFolder(path), step), ids, 1, source_ids=source))))


def only_labels() -> None:
    """Where a view is about the next token, and the run gives labels."""
    with st.container(border=True, horizontal_alignment="center"):
        st.subheader(t("This run gives labels, not tokens"), anchor=False)
        st.write(t("Its attention and states can be seen here; its predictions are under Teach labels."))
        links.link("finetune", t("Teach labels"), icon=":material/arrow_forward:")


@st.cache_data(max_entries=256, show_spinner=False)
def answer_to(path: str, step: int, text: str) -> str:
    """What a model of pairs writes greedily in answer to a text; "" without a text.

    At most it is a little longer than the answers that the run's samples ask for, and as long as the context has room for: a
    model that has not learnt to end would fill the box.
    """
    from models.generate import decode
    from playground.generation.predict import open_prompt

    run = RunFolder(path)
    model, tokenizer = cached.model(run, step), cached.tokenizer(run)
    if not text or not tokenizer.encode(text):
        return ""
    prompt = open_prompt(model.spec, tokenizer, text, answers=True, template=run.config().data.template)
    most = longest_answer(run, tokenizer, text)
    if model.spec.context_length:
        most = min(most, max(1, model.spec.context_length - len(prompt.ids)))
    written = decode(
        model,
        list(prompt.ids),
        most,
        stop_ids=(tokenizer.eos_id,),
        source_ids=list(prompt.source) if prompt.source else None,
    )
    answer = tokenizer.decode([token for token in written if token != tokenizer.eos_id])
    while len(tokenizer.encode(answer)) > most:  # broken bytes are read again as three each
        answer = answer[:-1]
    return answer


def longest_answer(run: RunFolder, tokenizer: Any, text: str) -> int:
    """How many tokens an answer may have: some more than those that the run's samples ask for, by their own number or by
    that of each token of the question; 64 where they ask for none.
    """
    n = lambda said: len(tokenizer.encode(said))
    asked = [example for row in run.samples() for example in row.get("examples", ())]
    known = {(n(x["source"]), n(x["target"])) for x in asked if x.get("source") and x.get("target")}
    if not known:
        return 64
    share = max(answer / max(1, question) for question, answer in known)
    return min(64, max(*(answer for _, answer in known), math.ceil(share * n(text)), 1) + MORE)
