"""What a stranger called a run, a file or a label, and what an error quotes, is shown as it is written and does nothing."""

import csv
import io
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest

from tests.support.made_runs import make_run
from tests.support.serving import serve
from tests.support.waiting import wait_idle

MARKS = [
    "![s](http://elsewhere.example/p.png)",
    '<img src="http://elsewhere.example/q.png" onerror="hacked=1">',
    "<script>hacked=1</script>",
    "[l](http://elsewhere.example/l)",
    "<http://elsewhere.example/m>",
    "www.elsewhere.example",
    "http://elsewhere.example/n",
    "HTTPS://elsewhere.example",
    "a.b@elsewhere.example",
    "**b** _i_ ~~d~~ `c`",
    ":red[x] :material/home: :streamlit: :smile: :100:",
    "$x^2$ $$y$$",
    "[^1] | a | b |",
    "&lt;b&gt; &copy; &#64;",
    "www&period;elsewhere.example",
    "x -> y <- z -- <=",
    "<a href='javascript:hacked=1'>j</a>",
    "<svg onload=hacked=1>",
]
EVIL = " ".join(MARKS)
TURNED = "\u202egnp.exe\u2066"
BEGINNINGS = [
    "# h",
    "1. one",
    "2) two",
    "- a",
    "+ a",
    "* a",
    "> q",
    "===",
    "---",
    "    code",
    "\tcode",
    "```",
    "[a]: //b",
    "\\",
    "| a",
]
LINES = ["a\n# b", "a\n===", "a\n\n    b", "a\r\n- b", "a\u2028# b", "a  \nb", "```\nx\n```", "| a |\n|---|\n| b |"]


ELEMENTS = "it => [...it.querySelectorAll('*')].map(each => each.tagName + (each.role ? ' as ' + each.role : ''))"


@pytest.fixture(scope="module")
def shown(browser, tmp_path_factory) -> Iterator[list[tuple[str, str, set[str], str]]]:
    """Each text, where it stands, and the elements and letters there, as Chromium has them."""
    home = tmp_path_factory.mktemp("plain")
    texts = [
        *MARKS,
        EVIL,
        *BEGINNINGS,
        *LINES,
        TURNED,
        "x\x00\x07y",
        "ordinary: words, and 10:30 at 3 * 4 (twice)",
        "中文：“好”",
    ]
    script = home / "show.py"
    script.write_text(
        "import streamlit as st\nfrom playground.ui.messages import plain\n"
        f"for i, text in enumerate({texts!r}):\n"
        "    with st.container(key=f'text-{i}'):\n        st.markdown(plain(text))\n"
        "    with st.container(key=f'label-{i}'):\n        st.checkbox(plain(text), key=f'box-{i}')\n"
        "    with st.container(key=f'title-{i}'):\n        st.subheader(plain(text), anchor=False)\n",
        encoding="utf-8",
    )
    with serve(home, script=script) as started:
        page = browser.new_page()
        page.goto(started.address)
        page.locator(f".st-key-title-{len(texts) - 1} h3").wait_for()
        page.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton]')")
        place = lambda kind, i: page.locator(f".st-key-{kind}-{i} [data-testid=stMarkdownContainer]").first
        yield [
            (text, kind, set(place(kind, i).evaluate(ELEMENTS)), place(kind, i).inner_text())
            for kind in ("text", "label", "title")
            for i, text in enumerate(texts)
        ]
        page.close()


def letters(text: str) -> str:
    """What a reader sees: white space as one blank, nothing that has no width, no order to turn."""
    text = re.sub("[\u2060\u202a-\u202e\u2066-\u2069]", "", text)
    return re.sub(r"[\s\x00-\x1f\ufffd]+", " ", text).strip()


def test_a_strangers_text_is_letters_and_nothing_else(shown):
    for text, kind, elements, said in shown:
        assert elements <= {"P", "DIV", "H3", "SPAN"}, (text, kind, elements)
        assert letters(said) == letters(text), (text, kind, said)
        assert not re.search("[\u202a-\u202e\u2066-\u2069]", said)


def test_ordinary_words_are_copied_as_they_are(shown):
    assert {said for text, _, _, said in shown if text.startswith("中文")} == {"中文：“好”"}


@pytest.fixture(scope="module")
def strangers(home, trained) -> dict[str, str]:
    """Runs, a file and labels of those names in the server's home."""
    from playground.finetune.plan import plan
    from playground.runs import gallery
    from playground.runs.finetuning import FineTuneSpec, LabelledSpec
    from playground.runs.store import RunStore
    from playground.text import uploads
    from playground.training import worker

    store = RunStore(home / "runs")
    made = {kind: store.duplicate(trained[kind], f"{EVIL} {TURNED}", weights=True).id for kind in trained}
    made["curves"] = make_run(home, EVIL).id
    failed = make_run(home, EVIL, breaks=True)
    status = json.loads((failed.path / "status.json").read_text())
    (failed.path / "status.json").write_text(json.dumps({**status, "message": EVIL, "hint": EVIL}))
    preparing = make_run(home, EVIL)
    preparing.update_status(state="preparing", message=EVIL)
    made |= {"failed": failed.id, "preparing": preparing.id}
    table = io.StringIO()
    csv.writer(table).writerows([["text", "kind"], *[[f"{EVIL} {i}", f"{EVIL} {i % 2}"] for i in range(80)]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLAYGROUND_HOME", str(home))
        upload = uploads.keep(io.BytesIO(table.getvalue().encode()), "![x](www.elsewhere.example) :red[x].csv")
        spec = FineTuneSpec(
            "classify", LabelledSpec("file", path=str(upload.path), text_column="text", label_column="kind")
        )
        tuned = RunStore().create(plan(gallery.get("bible-encoder"), spec, steps=4, threads=1).replace(name=EVIL))
        assert worker.run(tuned) == "finished"
    yield {**made, "tuned": tuned.id, "file": upload.path.parent.name}
    for id in {**made, "tuned": tuned.id}.values():
        run = store.get(id)
        if run.status().is_active:
            run.update_status(state="stopped")
        store.delete(id)


PAGES = [
    "/?run={clm}",
    "/train?run={curves}&with={failed}",
    "/train?run={failed}",
    "/train?run={preparing}",
    "/train?like={clm}",
    "/train?parent={clm}@60",
    "/data?corpus=file&file={file}",
    "/data?corpus=file&file={file}&view=numbers",
    *[f"/runs?runs={{curves}},{{clm}}&view={view}" for view in ("curves", "settings", "prompt", "recipe")],
    "/generate?run={clm}&prompt={evil}",
    "/generate?run={mlm}",
    "/generate?run={seq2seq}",
    "/export?run={clm}",
    *[f"/explore?run={{clm}}&text={{evil}}&view={view}" for view in ("attention", "steps", "positions")],
    *[f"/explore?run={{clm}}&text={{evil}}&view={view}" for view in ("predictions", "intervene")],
    "/finetune?parent={mlm}",
    "/finetune?data=file&file={file}",
    *[f"/finetune?run={{tuned}}&view={view}" for view in ("results", "gained", "try", "refocused")],
    "/train?preset={evil}",
    "/build?preset={evil}",
    "/finetune?run={evil}",
    "/data?corpus={evil}",
]


AT_ONCE = 8  # pages that are opened in one tab, one after another


@pytest.mark.parametrize("first", range(0, len(PAGES), AT_ONCE))
def test_no_page_draws_links_or_asks_elsewhere(new_page, server, strangers, first):
    page = new_page("/build")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in PAGES[first : first + AT_ONCE]:
        page.goto(path.format(**strangers, evil=quote(EVIL)))
        wait_idle(page)
        look_at(page, path, asked, urlsplit(server).netloc)


def look_at(page, path: str, asked: list[str], here: str) -> None:
    """Nothing was asked of another server, and nothing that leads there is drawn."""
    assert not [url for url in asked if url.startswith(("http", "ws")) and urlsplit(url).netloc != here], path
    sources = page.locator("img, iframe, source, image, object, embed").evaluate_all(
        "all => all.map(it => it.src || it.data || it.getAttribute('href') || '')"
    )
    assert not [each for each in sources if "elsewhere" in each], path
    links = page.locator("a").evaluate_all("all => all.map(it => it.href.baseVal ?? it.href)")
    assert not [each for each in links if re.search(r"^(https?://(\w+\.)?elsewhere|mailto:|javascript:)", each)], path
    assert page.evaluate("typeof hacked") == "undefined", path
    assert (
        not page.locator("[data-testid=stMarkdownContainer] :is(s, del, .katex)")
        .filter(has_text=re.compile("^[dxy]"))
        .count()
    )
    assert "Something went wrong" not in page.inner_text("body"), path
    if "&" not in path and "?run={curves}" in path:
        assert letters(page.locator("h1").first.inner_text()) == letters(EVIL)
