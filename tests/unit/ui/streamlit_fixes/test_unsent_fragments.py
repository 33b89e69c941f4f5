"""Parts of a page that run again before the server has sent what is drawn: the browser shows it all, in its places."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue

from playground.ui.streamlit_fixes import unsent_fragments

PART = "part"
WHOLE = ForwardMsg.FINISHED_SUCCESSFULLY


class Browser:
    """What Streamlit's page does with what it is sent: a place must be in a block that is there, and once the whole page has
    run, what was not drawn again goes and the rest moves up.
    """

    def __init__(self) -> None:
        self.root, self.run = {"children": []}, 0

    def take(self, messages: list[ForwardMsg]) -> None:
        for message in messages:
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self.run = message.new_session.name
            elif kind == "script_finished" and message.script_finished == WHOLE:
                self.sweep(self.root)
            elif kind in ("delta", "ref_hash"):
                self.draw(list(message.metadata.delta_path), message)

    def draw(self, path: list[int], message: ForwardMsg) -> None:
        node = self.root
        for index in path[:-1]:
            node = node["children"][index]
            assert "children" in node, f"Bad delta path {path}: an element is there"
        children, last = node["children"], path[-1]
        assert last <= len(children), f"Bad delta path {path}: only {len(children)} there"
        is_block = message.delta.WhichOneof("type") == "add_block"
        old = children[last] if last < len(children) else {}
        said = message.ref_hash or message.delta.new_element.markdown.body
        new = {"said": said, "run": self.run}
        children[last : last + 1] = [{**new, "children": old.get("children", [])} if is_block else new]

    def sweep(self, node: dict) -> None:
        node["children"] = [each for each in node["children"] if each["run"] == self.run]
        for each in node["children"]:
            if "children" in each:
                self.sweep(each)

    def shown(self) -> list:
        def words(node: dict):
            return [words(each) for each in node["children"]] if "children" in node else node["said"]

        return words(self.root)


def began(name: int) -> ForwardMsg:
    return ForwardMsg(new_session={"name": str(name)})


def ended(status) -> ForwardMsg:
    return ForwardMsg(script_finished=status)


def drawn(path: list[int], said: str | None, part: str = "", known: bool = False) -> ForwardMsg:
    """An element that says something, or a block (None); in its short form where the browser knows it."""
    message = ForwardMsg(metadata={"delta_path": path})
    if known:
        message.ref_hash = said
        return message
    message.delta.fragment_id = part
    if said is None:
        message.delta.add_block.SetInParent()
    else:
        message.delta.new_element.markdown.body = said
    return message


def the_part(words: str, known: bool) -> list[ForwardMsg]:
    return [drawn([1], None, PART), drawn([1, 0], words, PART), drawn([1, 1], "large", PART, known)]


def page(name: int, known: bool) -> list[tuple]:
    """A page of three places, the second of them a block that runs again alone."""
    return [
        ("clear", None),
        began(name),
        drawn([0], "above"),
        *the_part("old", known),
        drawn([2], "below"),
        ended(WHOLE),
    ]


def again(name: int, words: str, cut: bool, known: bool) -> list[tuple]:
    """That block once more; where it is cut off at once, it draws nothing."""
    if cut:
        return [("clear", [PART]), began(name), ended(ForwardMsg.FINISHED_EARLY_FOR_RERUN)]
    done = ended(ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)
    return [("clear", [PART]), began(name), *the_part(words, known), done]


@pytest.fixture(autouse=True)
def kept(monkeypatch):
    monkeypatch.setattr(ForwardMsgQueue, "clear", ForwardMsgQueue.clear)
    unsent_fragments.apply()


def played(events: list, sent: list[bool]) -> Browser:
    """The browser after those events, where the server sends after the events that say so, and at the end."""
    queue, browser = ForwardMsgQueue(), Browser()
    for event, send in zip(events, sent, strict=True):
        if isinstance(event, tuple):
            queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=event[1])
        else:
            queue.enqueue(event)
        if send:
            browser.take(queue.flush())
    browser.take(queue.flush())
    return browser


runs = st.lists(st.tuples(st.sampled_from(["one", "two", "page"]), st.booleans(), st.booleans()), max_size=4)


@given(runs=runs, data=st.data())
@example(runs=[("page", False, True), ("one", False, True), ("", True, True)], data=None)
def test_whenever_it_is_sent_the_browser_shows_the_same(runs, data):
    events = page(0, known=False)
    for name, (words, cut, known) in enumerate(runs, 1):
        events += page(name, known) if words == "page" else again(name, words, cut, known)
    at_once = played(events, [True] * len(events))
    late = [data is not None and data.draw(st.booleans()) for _ in events]
    assert played(events, late).shown() == at_once.shown()


def test_streamlit_still_needs_it(monkeypatch):
    """The day this fails, Streamlit keeps them itself: `unsent` can go."""
    monkeypatch.setattr(ForwardMsgQueue, "clear", unsent_fragments._clear)
    first, later = page(0, known=False), page(1, known=True)
    events = first + later + again(2, "one", cut=False, known=True) + again(3, "", cut=True, known=True)
    sent = [number == len(first) - 1 for number in range(len(events))]
    with pytest.raises(AssertionError, match="Bad delta path"):
        played(events, sent)
