"""A dispatcher of other code than what stands on the disk is replaced."""

from playground.runs import submit
from tests.support.source_tree import import_graph, modules


def test_the_mark_covers_all_code_that_trains():
    """Every package whose modules a training imports, directly or not: a change in any of them is another version."""
    graph, found, todo = import_graph(modules()), set(), ["playground.training.worker", submit.DISPATCHER]
    while todo:
        if (module := todo.pop()) not in found:
            found.add(module)
            todo += graph[module]
    folders = {"/".join(module.split(".")[: 2 if module.startswith("playground.") else 1]) for module in found}
    assert folders - {"playground"} == set(submit._PARTS)
