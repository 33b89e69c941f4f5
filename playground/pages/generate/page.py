"""A trained model at work: it continues, answers or fills in, and every token can be looked into and changed."""

from typing import Any

import streamlit as st

from playground.core.errors import PlaygroundError, UserError
from playground.runs.folder import RunFolder
from playground.runs.samples import opening_text
from playground.ui import cached, url_state
from playground.ui.colours import ARCHITECTURE
from playground.ui.components.bars import bars
from playground.ui.components.sampling_panel import sampling_panel
from playground.ui.components.token_strip import token_strip
from playground.ui.components.writer import writer
from playground.ui.controls import control
from playground.ui.frame import page_title, presenting
from playground.ui.language import t, translated
from playground.ui.live_runs import samples_of
from playground.ui.messages import fragment, no_model_yet, show, shown_errors
from playground.ui.model_views import views_of
from playground.ui.number_format import share
from playground.ui.places import inside_tabs
from playground.ui.run_picker import choose_run, talks
from playground.ui.scrubber import scrub
from playground.ui.stage import Stage, part, stage
from playground.ui.stage_text import text_box
from playground.ui.token_names import named

SESSION, WRITER = "generate.session", "generate.writer"
LONGEST = 80  # characters of a reason
N_ORDER = 200  # tokens that the bars choose from
SETTINGS = {"temperature": "t", "top_k": "k", "top_p": "p", "min_p": "m", "repetition_penalty": "r"}


def page() -> None:
    page_title(t("Generate"), t("Let a model write, see the probability of every token, and replace tokens."))
    with shown_errors():
        run = choose_run("generate.run", talks)
        if run is None:
            no_model_yet()
            return
        desk(run)


@fragment
def desk(run: RunFolder) -> None:
    """The text and what the model makes of it; runs again at every key, and while it writes several times a second."""
    fills = run.about()["training"]["objective"] == "mlm"
    answers = run.about().get("data_shape") == "pairs"
    place = stage()
    with place.tabs:
        inside_tabs("generate.view", views_of(run), here="generate")
    with place.command:
        written = st.container(width="stretch")
        with control("generate", "step", width="content"):
            step = scrub("generate", run)
        pressed = st.container(width="content")
    with place.picture, shown_errors():
        with written:
            with st.spinner(t("Loading the model …")):
                cached.at_work(run, step)
            label = t("The text") if fills else t("The question") if answers else t("The beginning")
            text = text_box("generate", "prompt", run, opening_text(samples_of(run)), label)
        if fills:
            blanks(run, step, text, place)
        else:
            work(run, session_for(run, step, text, answers), place, pressed)


# Continue and answer


def session_for(run: RunFolder, step: int, text: str, answers: bool) -> Any:
    """This person's session; a new one for another model, opened anew for another prompt."""
    from playground.generation.generation_session import GenerationSession

    known = st.session_state.get(SESSION)
    if known is None or known[0] != (run.id, step):
        if known:
            known[1].stop()
        load = lambda: cached.model(run, step)
        session = GenerationSession(
            cached.at_work(run, step), cached.tokenizer(run), answers, run.config().data.template, load
        )
        st.session_state[SESSION] = ((run.id, step), session)
        st.session_state.pop("generate.position", None)
    session = st.session_state[SESSION][1]
    session.use(cached.at_work(run, step))
    if session.text != text or not session.tokens:
        session.open(text)
        st.session_state["generate.position"] = None
    return session


def work(run: RunFolder, session: Any, stage: Stage, pressed: Any) -> None:
    """The session, and what is to be done with it."""
    session.collect()
    with stage.drawer:
        sampling, count = choose_sampling(session.answers)
        search(session, sampling, count)
        stopping()
    with pressed:
        if session.is_working:
            st.button(t("Stop"), key="generate.cancel", on_click=press, args=({"kind": "stop"},))
        else:
            asked = {"kind": "write", "n": count, "sampling": sampling}
            st.button(t("Write"), key="generate.write", type="primary", on_click=press, args=(asked,))
    paper(run, session, stage, sampling, count)


def paper(run: RunFolder, session: Any, stage: Stage, sampling: dict[str, float], count: int) -> None:
    """The text, and the distribution of one of its places."""
    working, shown, hidden = session.is_working, session.shown, session.prompt.hidden
    place = st.session_state.get("generate.position")
    place = len(shown) if place is None or place > len(shown) else place
    logits = None if working else session.logits(hidden + place)
    order = [] if logits is None else (-logits).argsort(kind="stable")[:N_ORDER].tolist()
    pieces = session.tokenizer.pieces([token.id for token in shown])
    expected = dict(zip(order, session.tokenizer.pieces(order), strict=True))
    writer(
        WRITER,
        tokens=[
            {"id": token.id, "text": piece, "p": token.probability, "drawn": token.drawn, "given": given}
            for token, piece, given in zip(shown, pieces, given_ones(session, len(shown)), strict=True)
        ],
        position=place,
        logits=logits,
        order=order,
        pieces=expected,
        seen=[token.id for token in session.tokens[: hidden + place]],
        sampling=sampling,
        count=count,
        commanded=not presenting(),  # before a room there is no other button
        working=working,
        can_undo=session.can_undo,
        can_write=True,
        status=status(session),
        beams=found(session),
        colour=ARCHITECTURE[run.config().model.architecture],
        on_act=act,
    )
    if not told_of_errors(session, stage):
        stage.say(noticed(pieces[place] if place < len(shown) else None, logits, expected))


def told_of_errors(session: Any, stage: Stage) -> bool:
    """Says what went wrong, where something did."""
    errors = st.session_state.pop("generate.error", None), session.job and session.job.error
    told = [error for error in errors if isinstance(error, UserError)]
    with stage.notice:
        for error in told:
            show(error)
    return bool(told)


def noticed(token: str | None, logits: Any, expected: dict[int, str]) -> str:
    """What the model thinks of the place that is looked at.

    Args:
        token: what stands there; None at the end of the text.
        logits: of that place; None while it writes.
        expected: the likeliest tokens, ids and pieces.
    """
    from playground.inference.sampling import softmax

    if logits is None:
        return t("It writes, token by token. The fuller the colour, the likelier the token was.")
    p = softmax(logits.astype("float64"))
    (first, piece), (second, other) = list(expected.items())[:2]
    if token is None:
        return t(
            "Next the model expects “{token}” ({p}), then “{other}” ({q}).",
            token=named(piece),
            p=share(p[first]),
            other=named(other),
            q=share(p[second]),
        )
    return (
        t(
            "Instead of “{token}”, the model expects “{other}” most ({q}).",
            token=named(token),
            other=named(piece),
            q=share(p[first]),
        )
        if token != piece
        else t("“{token}” is what the model expects most here ({p}).", token=named(token), p=share(p[first]))
    )


def choose_sampling(answers: bool) -> tuple[dict[str, float], int]:
    """How tokens are drawn, and how many."""
    count = st.number_input(
        t("How many tokens"), 1, 1000, value=40 if answers else 100, key=f"generate.count.{answers}"
    )
    with control("generate", "sampling"):
        sampling = sampling_panel("generate.sampling", str(answers), sampling_at_first(answers))
    remember_sampling(sampling, answers)
    return sampling, count


def search(session: Any, sampling: dict[str, float], count: int) -> None:
    """Beam search, whose texts can be taken."""
    with control("generate", "beam"):
        width = st.number_input(t("How many beams"), 1, 12, value=4, key="generate.beams")
        asked = {"kind": "beam", "n": count, "width": width, "sampling": sampling}
        st.button(t("Beam search"), key="generate.beam", disabled=session.is_working, on_click=press, args=(asked,))


def given_ones(session: Any, n: int) -> list[bool]:
    """Which of the tokens shown are the prompt's."""
    return [index < len(session.prompt.ids) - session.prompt.hidden for index in range(n)]


def stopping() -> None:
    """Where writing ends by itself; the address holds it."""
    state = st.session_state
    if "generate.stop" not in state:  # also after another page was open
        state["generate.eos"], state["generate.stop"] = (
            url_state.read("generate", "end"),
            url_state.text("generate", "stop")[:100],
        )
        seed = url_state.read("generate", "seed")
        state["generate.seed"] = None if seed is None else min(seed, 2**31 - 1)
    with control("generate", "stop"):
        st.markdown(f"**{t('Stop condition')}**")
        st.checkbox(t("At the end of the text (the token <eos>)"), key="generate.eos")
        st.text_input(
            t("After this text"),
            key="generate.stop",
            max_chars=100,
            placeholder=t("for example a full stop"),
            help=t("Writing ends as soon as this appears."),
        )
        st.number_input(
            t("Seed"),
            min_value=0,
            max_value=2**31 - 1,
            value=None,
            key="generate.seed",
            placeholder=t("another text each time"),
            help=t("The same seed writes the same text."),
        )
    url_state.remember("generate", end=state["generate.eos"], stop=state["generate.stop"], seed=state["generate.seed"])


def act() -> None:
    """Does what the person asked for in the drawing, before it is drawn again."""
    asked = (st.session_state.get(WRITER) or {}).get("act")
    if asked:
        press(asked)


def press(asked: dict[str, Any]) -> None:
    """Does what the person asked for on the session."""
    known = st.session_state.get(SESSION)
    if not known:
        return
    try:
        do(known[1], asked)
    except UserError as error:
        st.session_state["generate.error"] = error


def do(session: Any, asked: dict[str, Any]) -> None:
    kind, hidden = asked["kind"], session.prompt.hidden
    if kind == "select":
        st.session_state["generate.position"] = between(asked["position"], 0, len(session.shown))
    elif kind == "pick":
        session.pick(hidden + int(asked["position"]), int(asked["token"]))
        st.session_state["generate.position"] = None
    elif kind == "write":
        st.session_state["generate.position"] = None
        session.write(sampling_of(asked["sampling"]), between(asked["n"], 1, 1000), **stops())
        session.job.wait(0.05)  # a short text is there at once
    elif kind == "beam":
        session.search(between(asked["n"], 1, 1000), between(asked["width"], 1, 12), stops()["stop_at_end"])
        session.job.wait(0.05)
    elif kind == "take":
        session.take(int(asked["index"]))
        st.session_state["generate.position"] = None
    elif kind in ("stop", "undo", "clear"):
        getattr(session, kind)()
        st.session_state["generate.position"] = None


def between(value: Any, low: int, high: int) -> int:
    """What a browser sent, within its bounds."""
    return max(low, min(high, int(value)))


def stops() -> dict[str, Any]:
    chosen = st.session_state
    return {
        "stop_at_end": chosen.get("generate.eos", True),
        "stop_text": chosen.get("generate.stop") or "",
        "seed": chosen.get("generate.seed"),
    }


def sampling_of(chosen: dict[str, float]) -> Any:
    from playground.inference.sampling import Sampling

    return Sampling(**{**chosen, "top_k": int(chosen["top_k"])})


def usual(answers: bool) -> dict[str, float]:
    """What the sliders stand at: models that answer take the likeliest token."""
    temperature = 0.0 if answers else 0.8
    return {"temperature": temperature, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.0}


def sampling_at_first(answers: bool) -> dict[str, float]:
    """The usual values, or those in the address."""
    chosen = usual(answers)
    for name, short in SETTINGS.items():
        try:
            chosen[name] = float(url_state.text("generate", short) or chosen[name])
            sampling_of(chosen)
        except (ValueError, OverflowError, PlaygroundError):
            chosen[name] = usual(answers)[name]
    return chosen


def remember_sampling(chosen: dict[str, float], answers: bool) -> None:
    normal = usual(answers)
    url_state.remember(
        "generate",
        **{short: chosen[name] if chosen[name] != normal[name] else None for name, short in SETTINGS.items()},
    )


def status(session: Any) -> str:
    """What is being done or was done, how fast and by what."""
    job = session.job
    if job is None:
        return t("{n:,} tokens.", n=len(session.shown)) if len(session.shown) != 1 else t("1 token.")
    if isinstance(job.error, UserError):
        return ""  # it is shown above
    if job.error:
        return t("Something went wrong: a bug of the app. The log has the details.")
    if hasattr(job, "found"):
        if not job.is_over and job.is_loading:
            return t("Loading the model …")
        if not job.is_over:
            return t("Beam search, {step} of {n} tokens …", step=job.step, n=job.max_new_tokens)
        return t(
            "Beam search took {seconds:.2f} s, by {engine}. Click a text to take it.",
            seconds=job.seconds,
            engine=in_torch(),
        )
    why = {
        "end": t("The model ended the text."),
        "stop": t("Stopped after the stop text."),
        "cancelled": t("Stopped."),
    }.get(job.ended, "")
    n = len(job.tokens)
    speed = t(
        "{n:,} tokens at {speed:,.0f} tokens/s, by {engine}."
        if n != 1
        else "1 token at {speed:,.0f} tokens/s, by {engine}.",
        n=n,
        speed=job.speed,
        engine=ran_by(job.model),
    )
    return f"{speed} {why}".strip()


def ran_by(model: Any) -> str:
    """What writes, and where: "ONNX Runtime on CUDA (fp16)"; also why a step is not replayed as one CUDA graph."""
    if not hasattr(model, "precision"):
        return in_torch()
    provider = t("the CPU")
    if model.provider == "CUDA":
        why = translated(getattr(model, "uncaptured_reason", ""))
        why = why if len(why) <= LONGEST else why[: LONGEST - 1] + "…"
        provider = (
            f"CUDA ({model.precision}; {t('no CUDA graph: {why}', why=why)})" if why else f"CUDA ({model.precision})"
        )
    return t("ONNX Runtime on {provider}", provider=provider)


def in_torch() -> str:
    return t("PyTorch on the CPU with one thread")


def found(session: Any) -> list[dict[str, str]]:
    """The continuations that beam search found, for the list."""
    job = session.job
    if job is None or not job.is_over or not getattr(job, "found", None):
        return []
    return [
        {
            "text": session.tokenizer.decode(ids, specials=True) or "∅",
            "score": t("log p = {score:.2f}", score=score),
        }
        for ids, score in job.found
    ]


# Fill in


def blanks(run: RunFolder, step: int, text: str, place: Stage) -> None:
    """A text whose words are hidden by a click, and what the model puts there."""
    from playground.generation.fill_mask import fill, word_at

    model, tokenizer = cached.at_work(run, step), cached.tokenizer(run)
    colour = ARCHITECTURE[run.config().model.architecture]
    state = blanks_of(run, text, tokenizer)
    ids, hidden = state["ids"], state["hidden"]
    pieces = tokenizer.pieces(ids)
    with place.drawer:
        whole = st.toggle(t("Mask whole words"), value=True, key="generate.whole")
    with place.rest:
        st.caption(
            t("Click a word to mask it, and again to show it. All masked words are predicted at once, from both sides.")
        )
    with part("text", 40):
        boxes = [
            {"text": "▁▁▁" if index in hidden else piece, "dashed": index in hidden, "tip": piece}
            for index, piece in enumerate(pieces)
        ]
        clicked = token_strip(boxes, "generate.strip", colour=colour)
    if clicked is not None and clicked < len(ids):
        places = set(word_at(pieces, clicked) if whole else [clicked])
        state["hidden"] = hidden - places if clicked in hidden else hidden | places
        st.rerun(scope="fragment")
    with part("bars", 60), shown_errors():
        found = fill(model, ids, hidden, tokenizer.mask_id, frame=tokenizer.frame)
        groups = [group_of(blank, pieces, tokenizer) for blank in found]
        taken = bars("generate.bars", groups, colour, t("Put this token here"))
        place.say(filled_sentence(found, groups))
        if found:
            with place.rest:
                st.caption(t("Filled in by {engine}.", engine=ran_by(model)))
        if taken:
            blank = found[taken[0]]
            ids[blank.place] = blank.likeliest[taken[1]][0]
            hidden.discard(blank.place)
            st.rerun(scope="fragment")


def blanks_of(run: RunFolder, text: str, tokenizer: Any) -> dict[str, Any]:
    """The tokens of this person's text, and which of them are hidden."""
    state = st.session_state.setdefault("generate.blanks", {})
    if state.get("of") != (run.id, text):
        ids = tokenizer.encode(text, specials=True)
        state.clear()
        state |= {"of": (run.id, text), "ids": ids, "hidden": first_blank(tokenizer, ids)}
    return state


def filled_sentence(found: list[Any], groups: list[dict[str, Any]]) -> str:
    """What the model puts in the place of the first hidden token."""
    if not found:
        return t("Click a word to hide it: the model fills it in from both sides.")
    best = groups[0]["rows"][0]
    if best["mark"]:
        return t(
            "The model finds the hidden “{token}” by itself ({p}). Click a word to hide it, a bar to fill it in.",
            token=named(best["text"]),
            p=share(best["p"]),
        )
    return t(
        "The model would put “{token}” there ({p}). Click a word to hide it, a bar to fill it in.",
        token=named(best["text"]),
        p=share(best["p"]),
    )


def first_blank(tokenizer: Any, ids: list[int]) -> set[int]:
    """One word is hidden from the start, so that there is something to see."""
    from playground.generation.fill_mask import word_at

    pieces = tokenizer.pieces(ids)
    words: list[range] = []
    for index, piece in enumerate(pieces):
        if piece.strip().isalpha() and index > len(ids) // 3 and not (words and index in words[-1]):
            words.append(word_at(pieces, index))  # each once: Chinese, without spaces, can be one of many pages
    return set(min(words, key=len)) if words and tokenizer.mask_id not in ids else set()


def group_of(blank: Any, pieces: list[str], tokenizer: Any) -> dict[str, Any]:
    """One hidden place, for the bars."""
    said = tokenizer.pieces([token for token, _ in blank.likeliest])
    truth = pieces[blank.place]
    note = ""
    if blank.hidden is not None:
        note = t("Original token: {p:.1%}, rank {rank}", p=blank.hidden, rank=blank.rank)
    before, after = (
        "".join(pieces[max(0, blank.place - 3) : blank.place]),
        "".join(pieces[blank.place + 1 : blank.place + 3]),
    )
    return {
        "title": f"…{before}▁▁▁{after}…".replace("\n", " "),
        "note": note,
        "rows": [
            {"text": piece, "p": p, "mark": piece == truth and blank.hidden is not None}
            for piece, (_, p) in zip(said, blank.likeliest, strict=True)
        ],
    }
