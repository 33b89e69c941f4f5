"""What a model is to predict, as numbers: the one target that does not count."""

IGNORE_INDEX = -100
"""The target of a position that is not predicted, such as padding or a prompt. It is torch's ``ignore_index``."""
