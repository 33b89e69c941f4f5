"""A run as ONNX: written, proved against PyTorch, shrunk, raced and packed."""

from pathlib import Path
from typing import Any

import streamlit as st

from playground.core.background_job import BackgroundJob
from playground.pages.export.onnx_views import choose_view, draw
from playground.runs.folder import RunFolder
from playground.ui import links
from playground.ui.controls import control
from playground.ui.frame import page_title
from playground.ui.language import t, translated
from playground.ui.messages import fragment, no_model_yet, plain, show, shown_errors
from playground.ui.run_picker import choose_run, choose_step, gives_labels, speaks


class Export(BackgroundJob):
    """A run being exported."""

    def __init__(self, run: RunFolder, step: int, precisions: list[str], attentions: bool, offline: bool) -> None:
        self.run, self.step, self.what, self.share = run, step, "Loading the model", 0.0
        self.precisions, self.attentions, self.offline = precisions, attentions, offline
        super().__init__()
        self.start()

    def work(self) -> None:
        from playground.onnx_export.export import export

        export(
            self.run,
            self.step,
            self.precisions,
            self.attentions,
            offline_demo=self.offline,
            progress=self._on_progress,
            cancelled=self.is_stopped,
        )

    def _on_progress(self, what: str, share: float) -> None:
        self.what, self.share = what, share


def page() -> None:
    page_title(t("Export"), t("Write a model as ONNX, prove that it is the same model, and see how fast it runs."))
    with shown_errors():
        run = choose_run("export.run", speaks)
        if run is None:
            no_model_yet()
            return
        with control("export", "step"):
            step = choose_step("export", run)
        tell_of_cuda()
        ask(run, step)
        finished(run)


def tell_of_cuda() -> None:
    """Where there is a GPU that ONNX Runtime cannot use: why, and what helps."""
    from playground.inference.session import cuda_mismatch, has_cuda

    if has_cuda() and (mismatch := cuda_mismatch()):
        st.warning(" ".join(plain(translated(part)) for part in mismatch), icon=":material/memory_alt:")


def ask(run: RunFolder, step: int) -> None:
    """What to make, and the button that makes it."""
    from playground.onnx_export.demo import can_fetch
    from playground.onnx_export.fused import can_keep_8_bits
    from playground.onnx_export.quantize import PRECISIONS

    with st.container(horizontal=True, vertical_alignment="bottom"):
        model = run.config().model
        caches = can_keep_8_bits(model) and not gives_labels(run)
        names = [name for name in PRECISIONS if caches or name != "kv8"]
        with control("export", "weights", "content"):
            chosen = st.pills(
                t("Weights"),
                names,
                selection_mode="multi",
                default=names,
                key=f"export.precisions.{len(names)}",
                help="\n\n".join(f"**{name}**: {t(PRECISIONS[name])}" for name in names),
            )
        attentions = False
        if not model.is_recurrent:
            with control("export", "attentions", "content"):
                attentions = st.toggle(
                    t("Include attention weights as outputs"),
                    key="export.attentions",
                    help=t(
                        "Explore then shows attention computed by ONNX Runtime; the graph gets one more output per layer."
                    ),
                )
        with control("export", "offline", "content"):
            offline = st.toggle(
                t("Demo page without network"),
                key="export.offline",
                disabled=not can_fetch(),
                help=t(
                    "demo.html runs the model in a browser, which loads ONNX Runtime from cdn.jsdelivr.net. With this it "
                    "is inside the page (19 MB more), fetched once from npm, which has to be installed."
                ),
            )
        job: Export | None = st.session_state.get("export.job")
        if st.button(
            t("Export"),
            type="primary",
            icon=":material/deployed_code:",
            key="export.go",
            disabled=bool(job and not job.is_over),
        ):
            st.session_state["export.job"] = job = Export(run, step, chosen, attentions, offline)
    if job and job.run.id == run.id:
        with st.container():
            working()


@fragment(run_every=0.25)
def working() -> None:
    """How far the export is."""
    job: Export | None = st.session_state.get("export.job")
    if job is None:
        return
    if not job.is_over:
        st.progress(job.share, t(job.what))
        if st.button(t("Stop"), icon=":material/stop:", key="export.stop"):
            job.stop()
        return
    if job.error:
        show(job.error)
        return
    st.session_state["export.job"] = None
    st.rerun()


def finished(run: RunFolder) -> None:
    """The export that is there, and what can be done with it."""
    from playground.onnx_export.export import exported

    made = exported(run)
    if made is None:
        st.info(
            t("Not exported yet. It takes a second or two: the graph is written, compared with PyTorch and packed."),
            icon=":material/deployed_code:",
        )
        return
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
    with st.container(horizontal=True, vertical_alignment="center"):
        with control("export", "zip", "content"):
            st.download_button(
                t("Download everything (.zip)"),
                lambda: packed(made.folder, run),
                f"{run.id}-onnx.zip",
                "application/zip",
                icon=":material/download:",
                key="export.zip",
                on_click="ignore",
            )
        if report.get("task"):
            links.link("finetune", t("Try it on a text"), icon=":material/edit_note:", run=run.id)
        else:
            links.link("generate", t("Write with the model"), icon=":material/edit_note:", run=run.id)
    with control("export", "view"):
        view = choose_view(run)
    draw(view, run, made)
    st.caption(t("The files are in {folder}.", folder=plain(str(made.folder))))


def packed(folder: Path, run: RunFolder) -> Any:
    """The folder as one file, made when somebody asks for it."""
    import tempfile

    from playground.onnx_export.package import zipped

    with tempfile.TemporaryDirectory() as place:
        return zipped(folder, Path(place) / f"{run.id}.zip").read_bytes()
