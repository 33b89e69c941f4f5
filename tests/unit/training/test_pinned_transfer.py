"""Batches brought to the device: the right ones, in order, however far it is behind."""

import torch

from playground.training import pinned_transfer
from playground.training.batches import Batch
from playground.training.pinned_transfer import SLOTS, DeviceBuffer, PinnedTransfer, shapes_of


def batch(seed: int, length: int = 5) -> Batch:
    torch.manual_seed(seed)
    ids = torch.randint(0, 99, (3, length))
    return Batch({"input_ids": ids, "attention_mask": ids > 50}, torch.randint(0, 99, (3,)), 3, 15)


def test_a_room_holds_batches_of_its_shape_in_one_block():
    one, other = [batch(0), batch(1, 7)], [batch(2), batch(3, 7)]
    room, transfer = (
        DeviceBuffer(one, torch.device("cpu")),
        PinnedTransfer(lambda n: torch.empty(n, dtype=torch.uint8), Slow),
    )
    for batches in (one, other):
        transfer.copy(batches, room)
        assert shapes_of(room.batches) == shapes_of(batches)
        for there, here in zip(room.batches, batches, strict=True):
            assert torch.equal(there.targets, here.targets)
            for name, tensor in here.inputs.items():
                assert torch.equal(there.inputs[name], tensor)
                assert there.inputs[name].untyped_storage().data_ptr() == room.block.untyped_storage().data_ptr()


def test_shapes_differ_by_what_a_recorded_step_would_read_otherwise():
    assert shapes_of([batch(0)]) == shapes_of([batch(1)])
    without = batch(0)
    del without.inputs["attention_mask"]
    narrow, scored = batch(0), batch(0)
    narrow.inputs["input_ids"] = narrow.inputs["input_ids"].int()
    scored.targets = scored.targets.float()
    others = [batch(0, 6)], [without], [narrow], [scored], [batch(0), batch(0)]
    assert len({shapes_of(batches) for batches in ([batch(0)], *others)}) == 6


class Slow:
    """An event of a device that is far behind: a copy reads its buffer only when somebody waits for it."""

    waiting: list = []

    def __init__(self) -> None:
        self.copies: list = []

    def record(self) -> None:
        self.copies, Slow.waiting = Slow.waiting, []

    def synchronize(self) -> None:
        for copy in self.copies:
            copy()
        self.copies = []


def test_a_buffer_is_filled_again_only_when_its_copy_is_done(monkeypatch):
    """With a device that copies as late as it may, every batch arrives all the same."""
    arrived, size = [], 10
    room = DeviceBuffer([batch(0)], torch.device("cpu"))

    class Block:
        def numel(self) -> int:
            return room.block.numel()

        def copy_(self, buffer, non_blocking: bool) -> None:
            assert non_blocking
            Slow.waiting.append(lambda: arrived.append(buffer.clone()))

    room.block, block = Block(), room.block
    room.block.numel = block.numel
    transfer = PinnedTransfer(lambda n: torch.empty(n, dtype=torch.uint8), Slow)
    for seed in range(size):
        transfer.copy([batch(seed)], room)
    assert len(arrived) == size - SLOTS
    for seed, buffer in enumerate(arrived):
        plain = DeviceBuffer([batch(seed)], torch.device("cpu"))
        PinnedTransfer(lambda n: torch.empty(n, dtype=torch.uint8), Slow).copy([batch(seed)], plain)
        start, end = plain.places[0]
        assert torch.equal(buffer[start:end], plain.block[start:end])


def test_alignment_suits_every_type():
    assert all(
        start % pinned_transfer.ALIGNED == 0
        for start, _ in DeviceBuffer([batch(0, 3), batch(1)], torch.device("cpu")).places
    )
