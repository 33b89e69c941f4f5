"""Several runs beside each other: curves, settings, and what each makes of the same prompt."""

from html import escape

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.runs.folder import RunFolder
from playground.runs.naming import difference
from playground.runs.overview import settings
from playground.training.config_to_command import command_line, python_code
from playground.ui import cached, url_state
from playground.ui.colours import ACCENT
from playground.ui.components.curves import curves, labelled_panels, run_panels
from playground.ui.language import t
from playground.ui.live_runs import MOST_COMPARED, colours_for, curves_of, series
from playground.ui.messages import fragment, plain, show, shown_errors
from playground.ui.run_picker import gives_labels, name_of
from playground.ui.stage import Stage

VIEWS = ("curves", "settings", "prompt", "recipe")
TOKENS = 80
STANDS_OUT = f"font-weight: 600; background-color: rgba{(*bytes.fromhex(ACCENT[1:]), 0.16)}"


def compare(runs: list[RunFolder], place: Stage, picked: bool = True) -> None:
    """One of four views on the runs picked, as many as can be told apart; the address says which.

    Args:
        picked: False for runs that nobody picked: their curves alone.
    """
    if (n := len(runs)) > MOST_COMPARED:
        told = t(
            "The first {most} of the {n:,} runs that you picked: more cannot be told apart.", most=MOST_COMPARED, n=n
        )
        place.say(told)
        runs = runs[:MOST_COMPARED]
    with shown_errors():
        if not picked:
            draw(runs, place, t("The newest models. Pick rows of the table below to see and compare others."))
            return
        view = choose_view(runs, place)
        if view == "curves":
            draw(runs, place)
            return
        with place.picture, st.container(key="runs-scroll"):
            {"settings": differences, "prompt": prompt, "recipe": recipes}[view](runs)


def choose_view(runs: list[RunFolder], place: Stage) -> str:
    """Which view, bound to ``?view=``."""
    titles = {
        "curves": t("Curves"),
        "settings": t("Differences") if len(runs) > 1 else t("Settings"),
        "prompt": t("Same prompt"),
        "recipe": t("Reproduce"),
    }
    wanted = url_state.read("runs", "view")
    with place.tabs:
        view = st.segmented_control(
            t("View"),
            VIEWS,
            format_func=lambda view: titles[view],
            default=wanted if wanted in VIEWS else "curves",
            required=True,
            key="runs.view",
            label_visibility="collapsed",
        )
    url_state.remember("runs", view=view)
    return view


def draw(runs: list[RunFolder], place: Stage, notice: str = "") -> None:
    """The losses, large; below them what else was measured."""
    colours = colours_for(runs)
    shown = [series(run, colours[run.id]) for run in runs if curves_of(run).newest]
    if not shown:
        with place.picture:
            st.info(t("None of them has been trained yet."))
        return
    best = {run.id: found[1] for run in runs if (found := curves_of(run).best)}
    names = {run.id: name_of(run) for run in runs}
    told = [t("{name}: best validation loss {loss:.3f}", name=names[id], loss=loss) for id, loss in best.items()]
    loss, *more = labelled_panels() if all(map(gives_labels, runs)) else run_panels()
    alt = "; ".join(told) or t("Training curves.")
    with place.picture:
        curves("runs.curves", shown, [loss], alt=alt)
    with place.rest:
        if len(shown) > 1:
            st.caption(t("The same number of steps is not the same amount of work: compare over tokens and time, too."))
        with st.expander(t("What else was measured"), key="runs.more"):
            curves("runs.measured", shown, more, alt=alt)
    if notice or best:
        place.say(notice or verdict(best, names))


def verdict(best: dict[str, float], names: dict[str, str]) -> str:
    """Whose loss is lowest."""
    first, *others = sorted(best, key=lambda id: best[id])
    if not others:
        return t("{name}: best validation loss {loss:.3f}", name=names[first], loss=best[first])
    low, more = told_apart(best[first], best[others[0]])
    if low == more:
        return t(
            "Lowest validation loss: {name} and {other}, both {loss}. Only losses on the same text and vocabulary can be compared.",
            name=names[first],
            other=names[others[0]],
            loss=low,
        )
    return t(
        "Lowest validation loss: {name}, {loss}; the next is {other} with {more}. Only losses on the same text and vocabulary can be compared.",
        name=names[first],
        loss=low,
        other=names[others[0]],
        more=more,
    )


def told_apart(low: float, high: float) -> tuple[str, str]:
    """Two losses with three decimals, or as many more as tell them apart; alike where six do not."""
    said = "", ""
    for decimals in range(3, 7):
        said = f"{low:.{decimals}f}", f"{high:.{decimals}f}"
        if said[0] != said[1] and (float(said[0]) or high > 0.01):
            return said
    if said[0] != said[1]:
        return said
    alike = f"{high:.3f}" if high >= 0.0005 else said[1] if float(said[1]) else "< 0.000001"
    return alike, alike


def differences(runs: list[RunFolder]) -> None:
    """A table of settings; what differs from the first run stands out."""
    import pandas as pd

    configs = [run.config() for run in runs]
    every = len(runs) == 1 or st.toggle(t("also what they have in common"), key="runs.every")
    rows = settings(configs, only_different=not every)
    if not rows:
        st.info(t("They have the same settings, the seed included: differences come from the machine alone."))
        return
    names = [config.name for config in configs]
    unique = [
        name if names.count(name) == 1 else f"{name} · {run.id[-6:]}" for name, run in zip(names, runs, strict=True)
    ]
    cells = [[say(value) for value in values] for _, values in rows]
    table = pd.DataFrame(cells, index=[name for name, _ in rows], columns=unique)

    def highlight(row):
        return [STANDS_OUT if value != row.iloc[0] else "" for value in row]

    st.dataframe(
        table.style.apply(highlight, axis=1),
        height=600 if len(rows) > 10 else "auto",
        key="runs.settings",
        alt=t("Settings of the runs, one per row."),
    )
    for config in configs[1:]:
        if told := difference(config, configs[0], at_most=6):
            st.caption(f"**{plain(config.name)}**: {plain(told)}")


def say(value) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


# The same prompt to each


def prompt(runs: list[RunFolder]) -> None:
    """What each model makes of one text, written while you watch."""
    with st.form("runs.prompt", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            t("Prompt"),
            key="runs.prompt.text",
            placeholder=t("The beginning of a text; ___ is a blank for models that fill in"),
        )
        heat = st.slider(t("Temperature"), 0.0, 1.5, 0.8, 0.1, key="runs.prompt.heat", width=200)
        asked = st.form_submit_button(t("Write"), icon=":material/edit_note:", type="primary")
    if asked:
        stop_writing()
        st.session_state["runs.jobs"] = {run.id: begin(run, text, heat) for run in runs}
    jobs = st.session_state.get("runs.jobs") or {}
    if any(run.id in jobs for run in runs):
        working = any(not getattr(job, "is_over", True) for job in jobs.values())
        fragment(written, run_every=0.3 if working else None)(runs, working)


def begin(run: RunFolder, text: str, heat: float):
    """Starts a run's writing in the background; an error is kept in its place."""
    from playground.generation.jobs import GenerationJob
    from playground.generation.predict import open_prompt
    from playground.inference.sampling import Sampling

    try:
        model, tokenizer = cached.in_torch(run, cached.latest_step(run)), cached.tokenizer(run)
        if not model.about.is_causal:
            return blanks(model, tokenizer, text)
        answers, template = run.about().get("data_shape") == "pairs", run.config().data.template
        start = open_prompt(model.about, tokenizer, text, answers, template)
        job = GenerationJob(model, tokenizer, start, Sampling(temperature=heat), TOKENS, seed=0)
        return job.start()
    except PlaygroundError as error:
        return error


def blanks(model, tokenizer, text: str) -> str:
    """The text with every ``___`` filled by the likeliest token."""
    from playground.generation.fill_mask import fill
    from playground.text.tokenizers import MASK

    text = text if "___" in text else f"{text} ___"
    ids = tokenizer.encode(text.replace("___", MASK), specials=True)
    found = {
        blank.place: blank.likeliest[0] for blank in fill(model, ids, (), tokenizer.mask_id, 1, frame=tokenizer.frame)
    }
    said = [found[i][0] if i in found else token for i, token in enumerate(ids)]
    return tokenizer.decode(said)


def written(runs: list[RunFolder], working: bool) -> None:
    jobs = st.session_state.get("runs.jobs") or {}
    colours = colours_for(runs)
    for row in [runs[i : i + 3] for i in range(0, len(runs), 3)]:
        for column, run in zip(st.columns(len(row)), row, strict=True):
            with column, st.container(border=True, height="stretch"):
                st.html(f'<b><span style="color:{colours[run.id]}">●</span> {escape(run.name)}</b>')
                show_job(jobs.get(run.id))
    still = any(not getattr(job, "is_over", True) for job in jobs.values())
    if still and st.button(t("Stop writing"), icon=":material/stop:", key="runs.prompt.stop"):
        stop_writing()
    if working and not still:
        st.rerun()


def show_job(job) -> None:
    if job is None:
        st.caption(t("Press “Write” again for this one."))
    elif isinstance(job, PlaygroundError):
        show(job)
    elif isinstance(job, str):
        st.text(job)
    else:
        before = job.tokenizer.decode(list(job.prompt.ids[job.prompt.hidden :]))
        st.text(before + job.tokenizer.decode([token.id for token in job.tokens]))
        n = len(job.tokens)
        st.caption(
            t(
                "{n} tokens, {speed:,.0f} per second" if n != 1 else "1 token, {speed:,.0f} per second",
                n=n,
                speed=job.speed,
            )
        )


def stop_writing() -> None:
    for job in (st.session_state.get("runs.jobs") or {}).values():
        if hasattr(job, "stop"):
            job.stop()


# The way to make it again


def recipes(runs: list[RunFolder]) -> None:
    for run in runs:
        config = run.config()
        if len(runs) > 1:
            st.markdown(f"**{plain(config.name)}**")
        st.caption(t("In a terminal:"))
        st.code(command_line(config), language="bash", wrap_lines=True)
        st.caption(t("In Python:"))
        st.code(python_code(config), language="python")
    st.caption(t("The same settings and seed give the same losses on the same machine and versions."))
