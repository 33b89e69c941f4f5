"""The text to learn from as a picture: how often each label is there, some rows as they will be read, a place to drop a file."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from playground.core.errors import UserError
from playground.pages.finetune.own_files import uploader
from playground.ui import controls
from playground.ui.frame import presenting
from playground.ui.language import t
from playground.ui.messages import show
from playground.ui.number_format import share
from playground.ui.stage import Stage, part

BARS = 10  # labels that are drawn; the others are told in a last line
STYLE = """<style>
.st-key-stage-picture [data-testid="stColumn"] > [data-testid="stVerticalBlock"] { gap: 0; }
.labels-read { height: 100cqh; display: flex; flex-direction: column; justify-content: safe center; overflow: hidden;
  font-size: clamp(max(var(--label-size, 13px), 0.95rem), 4cqh, 1.35rem); }
.labels-read div { flex: 1 1 0; min-height: 1.35em; max-height: 3.6rem; display: grid; align-items: center; gap: .7rem;
  grid-template-columns: minmax(4rem, 34%) 1fr 6.5em; }
.labels-read span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.labels-read span:first-child { text-align: right; }
.labels-read span:nth-child(2) { align-self: stretch; display: flex; align-items: center; }
.labels-read i { height: 60%; border-radius: .3rem; min-width: 2px; background: light-dark(#55606b, #a9b3bd); }
.labels-read p { margin: .2rem 0 0; text-align: right; }
.rows-read { height: 100cqh; overflow: auto; font-size: max(var(--label-size, 13px), 1rem); }
.rows-read table { width: 100%; border-collapse: collapse; margin: 0; }
.rows-read :is(th, td) { text-align: left; vertical-align: top; padding: .4rem .6rem; border: 0;
  border-bottom: 1px solid rgb(128 128 128 / 25%); overflow-wrap: anywhere; }
.rows-read th { position: sticky; top: 0; background: var(--page-ground); font-weight: 600; }
.rows-read .tall td { height: calc((100cqh - 2.6rem) / 9); vertical-align: middle; }
.rows-read td:last-child:not(:first-child) { width: 34%; font-weight: 600; }
[class*="st-key-finetune-drop"] { height: 100cqh; padding: .4rem; gap: 0; overflow: hidden; }
[class*="st-key-finetune-drop"] section { height: calc(100cqh - .8rem) !important; min-height: 0; border: 2px dashed rgb(128 128 128 / 55%);
  border-radius: .75rem; flex-direction: column; align-items: center; justify-content: center; gap: .6rem;
  overflow: hidden; }
[class*="st-key-finetune-drop"] section::before { content: var(--drop-here); text-align: center;
  font-size: clamp(1rem, 8cqh, 1.5rem); }
[class*="st-key-finetune-drop"] section > * { margin: 0; }
[class*="st-key-finetune-drop"] [data-testid="stFileUploaderDropzoneInstructions"] { display: none; }
.told-alone { height: 100cqh; display: grid; place-items: center; text-align: center; border-radius: .75rem;
  font-size: max(var(--label-size, 13px), 1.4rem); border: 2px dashed rgb(128 128 128 / 35%); }
@container (max-height: 100px) { [class*="st-key-finetune-drop"] section::before { content: none; } }
@media (max-width: 767.98px) { .st-key-stage-picture { overflow-y: auto; } }
</style>"""


@dataclass(frozen=True)
class Drop:
    """Where a file is dropped: the key of its boxes, and the endings that are taken."""

    key: str
    kinds: Sequence[str]


def labelled(place: Stage, counts: Counter, rows: Sequence[tuple[str, ...]], heads: Sequence[str], drop: Drop) -> None:
    """The labels as bars, some rows beside them, and below the bars the place for a file of one's own."""
    st.html(STYLE)
    with place.picture:
        left, right = st.columns([2, 3], gap="medium")
        with left:
            if _takes_files():
                with part("labels", 70):
                    st.html(bars(counts))
                with part("drop", 30):
                    drop_zone(drop)
            else:
                st.html(bars(counts))
        with right:
            st.html(table(by_turns(rows), heads))


def by_turns(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The rows so that each label comes early: in many tables those of a label stand together."""
    seen: Counter[str] = Counter()
    turns = []
    for row in rows:
        turns.append((seen[row[-1]], row))
        seen[row[-1]] += 1
    return [row for _, row in sorted(turns, key=lambda turn: turn[0])]


def unlabelled(place: Stage, rows: Sequence[tuple[str, ...]], heads: Sequence[str], drop: Drop) -> None:
    """The beginning of a text, and beside it the place for a file of one's own."""
    st.html(STYLE)
    with place.picture:
        if not _takes_files():
            st.html(table(rows, heads))
            return
        left, right = st.columns([1, 3], gap="medium")
        with left:
            drop_zone(drop)
        with right:
            st.html(table(rows, heads))


def drop_alone(place: Stage, drop: Drop) -> None:
    """Where there is no file yet: the whole picture takes one."""
    st.html(STYLE)
    with place.picture:
        drop_zone(drop)


def wrong(place: Stage, error: UserError, drop: Drop) -> None:
    """What is wrong with a file, and the place for another one."""
    st.html(STYLE)
    with place.picture:
        with part("wrong", 40):
            show(error)
        with part("drop", 60):
            drop_zone(drop)


def drop_zone(drop: Drop) -> None:
    """A box that fills its place, and takes a file."""
    if _takes_files():
        told = t("Drop a file of yours here: {kinds}", kinds=", ".join(told_kinds(drop.kinds)))
        here = json.dumps(told, ensure_ascii=False)  # a style knows no \uXXXX
        with st.container(key=f"finetune.drop.{drop.key}"):
            st.html(f"<style>:root {{ --drop-here: {here}; }}</style>")
            uploader(drop.key, drop.kinds, t("Bring a file"), "collapsed")


def told_kinds(kinds: Sequence[str]) -> list[str]:
    """The best known of the kinds of files, as people call them."""
    known = {".csv": "CSV", ".jsonl": "JSONL", ".parquet": "Parquet", ".conll": "CoNLL", ".txt": "TXT", ".pdf": "PDF"}
    return [name for kind, name in known.items() if kind in kinds]


def _takes_files() -> bool:
    """Whether a file can be dropped: before a room there are no forms, and a link can hide the choice of the text."""
    return not presenting() and "finetune.text" not in controls.hidden()


def bars(counts: Counter) -> str:
    """How often each label is there, as HTML."""
    n, most = max(1, sum(counts.values())), max(counts.values(), default=1)
    shown = counts.most_common(BARS)
    rows = "".join(
        f"<div><span>{escape(label)}</span><span><i style='width:{100 * count / most:.1f}%'></i></span>"
        f"<span>{count:,} · {share(count / n)}</span></div>"
        for label, count in shown
    )
    told = ", ".join(f"{label} {share(count / n)}" for label, count in shown)
    more = len(counts) - len(shown)
    rest = f"<p>{escape(t('and {n:,} more labels', n=more))}</p>" if more else ""
    return f"<div class='labels-read' data-own='' role='img' aria-label='{escape(told, quote=True)}'>{rows}{rest}</div>"


def table(rows: Sequence[tuple[str, ...]], heads: Sequence[str]) -> str:
    """Rows as they will be read, as HTML; it scrolls where they are more than fit."""
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    name = escape(t("Some rows, as they will be read"), quote=True)
    return (
        f"<div class='rows-read' tabindex='0' role='region' aria-label='{name}'><table class='tall'>"
        f"<thead><tr>{head}</tr></thead><tbody data-own=''>{body}</tbody></table></div>"
    )


def told_alone(sentence: str) -> str:
    """A sentence in the middle of its place, as HTML: where there is nothing to draw yet."""
    return f"<div class='told-alone'>{escape(sentence)}</div>"
