"""A large box to write or paste a text into, which reports what stands in it while one writes."""

from playground.ui.components import component, nothing


def writing_box(
    key: str, *, text: str, version: str, label: str, placeholder: str, longest: int, wanted: int = 0
) -> str | None:
    """Draws the box and returns what was written since ``version`` began; None before the first key.

    It reports a quarter of a second after the last key, a long text less often, and at once when the box is left.

    Args:
        key: of the component.
        text: what stands in the box where it appears anew.
        version: another one than last time puts ``text`` into the box; the same leaves what is being written.
        label, placeholder: translated.
        wanted: another number than last time brings the box into sight, ready to be written in; 0 leaves it.
        longest: in characters, as the caller allows; the box cuts only what is four times as long.
    """
    answer = component("writing_box")(
        key=key,
        data={
            "text": text,
            "version": version,
            "label": label,
            "placeholder": placeholder,
            "longest": longest,
            "wanted": wanted,
        },
        default={"typed": None},
        on_typed_change=nothing,
    )
    typed = answer.typed
    return str(typed["text"]) if typed and typed.get("version") == version else None
