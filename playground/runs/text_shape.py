"""Whether a model can read a text: some read questions with answers (pairs), and running text has none."""

from playground.core.errors import PlaygroundError
from playground.runs.config import RunConfig
from playground.text import uploads
from playground.text.catalogue import UNKNOWN


def check_shape(config: RunConfig, shape: str | None = None) -> None:
    """Refuses a model of pairs on running text.

    Args:
        shape: of the text as it was read, "stream" or "pairs"; None: as the settings say.

    Raises:
        PlaygroundError: with what the model reads and what the text is.
    """
    data = config.data
    if shape is None and data.corpus == UNKNOWN:
        return
    if config.model.reads_pairs and not (data.gives_pairs if shape is None else shape == "pairs"):
        raise PlaygroundError(
            "The architecture {architecture} reads pairs, and {text} is running text.",
            "Choose a text with questions and answers, such as task-reversal or task-dates (of a table, name the two "
            "columns), or another architecture.",
            architecture=config.model.architecture,
            text=uploads.text_title(data.path, data.corpus),
        )
