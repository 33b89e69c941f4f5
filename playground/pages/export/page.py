"""A run as ONNX: how small it gets and what that costs, the lines that use it, and the file to download."""

from typing import Any

import streamlit as st

from playground.onnx_export.first_text import first_text
from playground.pages.export import code_lines
from playground.pages.export.estimated_sizes import show_estimate
from playground.pages.export.onnx_views import DRAWS, VIEWS, writes
from playground.runs.folder import RunFolder
from playground.ui import cached, links, url_state
from playground.ui.controls import control
from playground.ui.export_job import JOB, Export, download, exporting, is_busy, job_of, just_made
from playground.ui.frame import page_title
from playground.ui.language import joined, t, translated
from playground.ui.live_runs import samples_of
from playground.ui.messages import no_model_yet, plain, shown_errors
from playground.ui.places import place_tabs
from playground.ui.run_picker import choose_run, choose_step, gives_labels, speaks
from playground.ui.select import select, select_several
from playground.ui.stage import Stage, stage


def page() -> None:
    page_title(t("Export"), t("Write a model as ONNX, prove that it is the same model, and see how fast it runs."))
    with shown_errors():
        run = choose_run("export.run", speaks)
        if run is None:
            no_model_yet()
            return
        place = stage()
        with place.tabs:
            place_tabs("export")
        with place.command, control("export", "step", "content"):
            step = choose_step("export", run)
        made = ask(run, step, place)
        if made is None:
            show_estimate(run, step, place)
        else:
            show_view(run, made, place)
        with place.rest:
            tell_of_cuda()


def ask(run: RunFolder, step: int, place: Stage) -> Any:
    """What to make, and the buttons that make it and give it; what is there already, None before the first export."""
    from playground.onnx_export.demo import can_fetch
    from playground.onnx_export.export import exported
    from playground.onnx_export.fused import can_keep_8_bits
    from playground.onnx_export.quantize import PRECISIONS

    made, model = exported(run), run.config().model
    caches = can_keep_8_bits(model) and not gives_labels(run)
    names = [name for name in PRECISIONS if caches or name != "kv8"]
    with place.command, control("export", "weights", "content"):
        chosen = select_several(
            t("Weights"), names, names, key=f"export.precisions.{len(names)}", label_visibility="collapsed", width=420
        )
    attentions = False
    with place.drawer:
        if model.has_attention:
            with control("export", "attentions"):
                attentions = st.toggle(
                    t("Include attention weights as outputs"),
                    key="export.attentions",
                    help=t(
                        "Look inside then shows attention computed by ONNX Runtime; the graph gets one more output per layer."
                    ),
                )
        with control("export", "offline"):
            offline = st.toggle(
                t("Demo page without network"),
                key="export.offline",
                disabled=not can_fetch(),
                help=t(
                    "demo.html runs the model in a browser, which loads ONNX Runtime from cdn.jsdelivr.net. With this it "
                    "is inside the page (19 MB more), fetched once from npm, which has to be installed."
                ),
            )
        st.caption("\n\n".join(f"**{name}**: {t(PRECISIONS[name])}" for name in names))
    with place.command:
        buttons(run, made, lambda: Export(run, step, chosen, attentions, offline))
    return made


def buttons(run: RunFolder, made: Any, begin: Any) -> None:
    """Export as the main button; once there is something to take away, that is the main one."""
    job = job_of(run)
    if job and not job.is_over:
        with st.container(key="export-packing"):
            exporting()
        return
    if job and job.error:
        exporting()
    if made is not None:
        with control("export", "zip", "content"):
            download(run, made.folder, "export.zip", t("Download everything (.zip)"))
    kind = "secondary" if made is not None else "primary"
    if st.button(t("Export"), type=kind, icon=":material/deployed_code:", key="export.go", disabled=is_busy()):
        st.session_state[JOB] = begin()
        st.rerun()
    just_made(run)  # told by the picture; no file is sent unasked


def show_view(run: RunFolder, made: Any, place: Stage) -> None:
    """The view of the export that is chosen, the lines that use it, and what can be done with it."""
    view = choose_view(run, place)
    lines, drawn, told = (place.rest.container() for _ in range(3))
    with lines:
        kind = code_lines.kind_of(made.report.get("task", ""), run.config().training.objective)
        tokenizer = cached.tokenizer(run)
        text = first_text(samples_of(run), kind == "fill", tokenizer.pieces(tokenizer.special_ids))
        code_lines.show_lines(made.report, kind, text)
    with told:
        tell(run, made)
    with shown_errors():
        DRAWS[view](run, made, place, drawn)


def choose_view(run: RunFolder, place: Stage) -> str:
    """Which view, kept in the address."""
    offered = [name for name in VIEWS if name != "race" or writes(run)]
    key, wanted = f"export.view.{len(offered)}", url_state.text("export", "view")
    if wanted in offered and wanted != st.session_state.get("export.view.link"):
        st.session_state[key] = wanted
    elif st.session_state.get(key) not in offered:
        st.session_state[key] = "sizes"
    with place.drawer, control("export", "view"):
        view = select(t("Show"), offered, key=key, format_func=lambda name: t(VIEWS[name]))
    url_state.remember("export", view=view)
    st.session_state["export.view.link"] = url_state.text("export", "view")
    return view


def tell(run: RunFolder, made: Any) -> None:
    """How sure it is that the export is the same model, who can load it, where it lies, and the way to try it."""
    report = made.report
    st.success(
        t(
            "Agrees with PyTorch over {n} shapes: logits differ by at most {worst:.1e}. Exported from step {step:,} in "
            "{seconds:.1f} s.",
            n=len(report["checks"]),
            worst=report["worst"],
            step=report["step"],
            seconds=report["seconds"],
        ),
        icon=":material/verified:",
    )
    loaders = report["loaders"]
    st.caption(
        t("Loads in {loaders}.", loaders=plain(str(loaders)))
        if loaders
        else t("Not an architecture of transformers: ONNX Runtime runs it.")
    )
    if report.get("task"):
        links.link("finetune", t("Try it on a text"), icon=":material/edit_note:", run=run.id)
    else:
        links.link("generate", t("Write with the model"), icon=":material/edit_note:", run=run.id)
    st.caption(t("The files are in {folder}.", folder=plain(str(made.folder))))


def tell_of_cuda() -> None:
    """Where there is a GPU that ONNX Runtime cannot use: why, and what helps."""
    from playground.inference.session import cuda_mismatch, has_cuda

    if has_cuda() and (mismatch := cuda_mismatch()):
        st.warning(joined(*(plain(translated(part)) for part in mismatch)), icon=":material/memory_alt:")
