"""A canvas that turns boxes, arrows and words into one SVG; colours are left to the style sheet.

Every length is in pixels at normal size. What is drawn carries a class, so that light, dark and presentation
look right without drawing again, and a key, so that hovering it can show its explanation.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape

Point = tuple[float, float]
CORNER = 9  # radius of a bend
_LOW = str.maketrans("ₜₛⱼ₋₊₀₁₂", "tSj−+012")


@dataclass(frozen=True)
class Tip:
    """What a person reads when hovering or opening a block.

    Args:
        title: its name.
        text: one or two sentences.
        formula: the equation, in plain letters; may be empty.
        facts: (name, value) rows: shapes, parameters.
    """

    title: str
    text: str
    formula: str = ""
    facts: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict:
        """Plain values for the browser."""
        return {"title": self.title, "text": self.text, "formula": self.formula, "facts": list(self.facts)}


@dataclass
class Canvas:
    """Collects shapes, in the order in which they are painted.

    Args:
        width, height: of the picture; a height of 0 grows with what is drawn.
        label: what a screen reader says.
    """

    width: float
    height: float = 0
    label: str = ""
    tips: dict[str, Tip] = field(default_factory=dict)
    _behind: list[str] = field(default_factory=list)
    _items: list[str] = field(default_factory=list)

    def box(
        self,
        x: float,
        y: float,
        w: float,
        h: float,
        title: str,
        sub: str = "",
        kind: str = "plain",
        key: str = "",
        tip: Tip | None = None,
        opens: bool = False,
        copies: int = 0,
    ) -> None:
        """A block with a title and a quieter second line.

        Args:
            kind: its class: plain, norm, strong, soft, chip, gate, squash, data.
            key, tip: what hovering explains.
            opens: a click shows its inside.
            copies: how many more of the same are hinted at behind it.
        """
        ghosts = "".join(
            f'<rect class="ghost" x="{x + 4 * i:g}" y="{y - 4 * i:g}" width="{w:g}" height="{h:g}" rx="9"/>'
            for i in range(copies, 0, -1)
        )
        radius = h / 2 if kind == "chip" else 9
        cx, cy = x + w / 2, y + h / 2
        words = f'<text class="title" x="{cx:g}" y="{cy - (9 if sub else 0):g}">{written(title)}</text>'
        if sub:
            words += f'<text class="sub" x="{cx:g}" y="{cy + 11:g}">{written(sub)}</text>'
        if opens:
            words += f'<path class="open" d="M{x + w - 15:g} {cy - 4:g}l4 4l-4 4"/>'
        body = f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="{radius:g}"/>'
        self._hover(f"{ghosts}{body}{words}", f"box {kind}", key, tip, opens)
        self.height = max(self.height, y + h + 8)

    def plus(self, x: float, y: float, symbol: str = "+", key: str = "", tip: Tip | None = None) -> None:
        """A circle with an operation in it, centred."""
        body = f'<circle cx="{x:g}" cy="{y:g}" r="12"/><text class="sign" x="{x:g}" y="{y:g}">{escape(symbol)}</text>'
        self._hover(body, "op", key, tip, False)

    def line(
        self,
        *points: Point,
        kind: str = "flow",
        arrow: bool = True,
        label: str = "",
        at: Point | None = None,
        anchor: str = "start",
    ) -> None:
        """A line through points with rounded bends.

        Args:
            kind: flow, residual, state, cell or quiet.
            label: a shape, written beside the middle of the last part, or ``at`` a place.
        """
        self._behind.append(
            f'<path class="line {kind}" d="{rounded(points)}"'
            + (f' marker-end="url(#head-{kind})"' if arrow else "")
            + "/>"
        )
        if label:
            (x0, y0), (x1, y1) = points[-2:]
            x, y = at or ((x0 + x1) / 2 + 10, (y0 + y1) / 2 - 1)
            self.text(x, y, label, "shape", anchor)
        self.height = max(self.height, *(y + 4 for _, y in points))

    def text(self, x: float, y: float, words: str, kind: str = "sub", anchor: str = "middle") -> None:
        """One line of words, centred on its height."""
        self._items.append(f'<text class="{kind} {anchor}" x="{x:g}" y="{y:g}">{written(words)}</text>')
        self.height = max(self.height, y + 12)

    def frame(self, x: float, y: float, w: float, h: float, badge: str = "", left: bool = False) -> None:
        """A quiet frame around what belongs together, with a badge such as "× 4" in its upper right, or left."""
        self._behind.insert(0, f'<rect class="frame" x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="16"/>')
        if badge:
            side, at = ("start", x + 14) if left else ("end", x + w - 14)
            self._items.append(f'<text class="badge {side}" x="{at:g}" y="{y + 20:g}">{escape(badge)}</text>')
        self.height = max(self.height, y + h + 6)

    def cells(self, x: float, y: float, size: float, shown: Sequence[Sequence[float]]) -> None:
        """A small grid; each value from 0 to 1 is how strong its cell is."""
        side = size / len(shown)
        for i, row in enumerate(shown):
            for j, value in enumerate(row):
                self._items.append(
                    f'<rect class="cell" x="{x + j * side:.1f}" y="{y + i * side:.1f}" width="{side - 1:.1f}" '
                    f'height="{side - 1:.1f}" rx="1.5" style="--v:{max(0.0, value):.2f}"/>'
                )
        self.height = max(self.height, y + size + 4)

    def curve(self, x: float, y: float, w: float, h: float, f: Callable[[float], float], reach: float = 3) -> None:
        """A function from -reach to reach over its axes; values beyond the top are cut."""
        top, bottom = max(1.0, min(f(reach), reach)), min(-0.25, f(-reach))
        scale = h / (top - bottom)
        zero = y + top * scale
        steps = [reach * (i / 40 - 1) for i in range(81)]
        points = [(x + (v + reach) / (2 * reach) * w, zero - f(v) * scale) for v in steps if f(v) <= top]
        d = "M" + "L".join(f"{px:.1f} {py:.1f}" for px, py in points)
        self._items.append(
            f'<path class="axis" d="M{x:g} {zero:.1f}h{w:g}M{x + w / 2:g} {y:g}v{h:g}"/><path class="curve" d="{d}"/>'
        )
        self.height = max(self.height, y + h + 4)

    def bar(self, x: float, y: float, w: float, h: float, kind: str = "soft") -> None:
        """A plain bar: a vector as wide as it has channels."""
        self._items.append(f'<rect class="bar {kind}" x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="4"/>')
        self.height = max(self.height, y + h + 6)

    def wedge(self, y: float, top: tuple[float, float], below: float, bottom: tuple[float, float]) -> None:
        """The matrix between two vectors: from (left, right) at ``y`` to (left, right) at ``below``."""
        self._behind.append(
            f'<path class="wedge" d="M{top[0]:g} {y:g}H{top[1]:g}L{bottom[1]:g} {below:g}H{bottom[0]:g}Z"/>'
        )

    def svg(self) -> str:
        """The picture; its arrow heads are the style sheet's colours."""
        heads = "".join(
            f'<marker id="head-{kind}" viewBox="0 0 10 10" refX="8.4" refY="5" markerWidth="{size}" markerHeight="{size}" '
            f'orient="auto-start-reverse" markerUnits="userSpaceOnUse"><path class="head {kind}" d="M1 1L9 5L1 9z"/></marker>'
            for kind, size in (("flow", 9), ("residual", 11), ("state", 11), ("cell", 15), ("quiet", 9))
        )
        return (
            f'<svg viewBox="0 0 {self.width:g} {math.ceil(self.height):g}" role="group" aria-label="{escape(self.label, True)}">'
            f"<defs>{heads}</defs>{''.join(self._behind)}{''.join(self._items)}</svg>"
        )

    def _hover(self, body: str, kind: str, key: str, tip: Tip | None, opens: bool) -> None:
        if tip is not None:
            key = key or tip.title
            self.tips[key] = tip
            role, state = ("button", f"{kind} opens") if opens else ("img", kind)
            named = f'role="{role}" aria-label="{escape(tip.title, True)}"'
            body = f'<g class="{state}" data-key="{escape(key, True)}" tabindex="0" {named}>{body}</g>'
        else:
            body = f'<g class="{kind}">{body}</g>'
        self._items.append(body)


def written(words: str) -> str:
    """Words for SVG; hₜ₋₁ gets its index set low in the same type."""

    def low(found: re.Match) -> str:
        index = found.group().translate(_LOW)
        return f'<tspan class="low" dy="4">{index}</tspan><tspan dy="-4">&#8203;</tspan>'

    return re.sub("[ₜₛⱼ₋₊₀₁₂]+", low, escape(words))


def rounded(points: Sequence[Point], radius: float = CORNER) -> str:
    """The path through points, each bend an arc that takes at most half of the shorter part beside it."""
    path = [f"M{points[0][0]:g} {points[0][1]:g}"]
    for (x0, y0), (x1, y1), (x2, y2) in zip(points, points[1:], points[2:], strict=False):
        before, after = math.hypot(x1 - x0, y1 - y0), math.hypot(x2 - x1, y2 - y1)
        r = min(radius, before / 2, after / 2)
        ax, ay = x1 + (x0 - x1) * r / before, y1 + (y0 - y1) * r / before
        bx, by = x1 + (x2 - x1) * r / after, y1 + (y2 - y1) * r / after
        path.append(f"L{ax:.1f} {ay:.1f}Q{x1:g} {y1:g} {bx:.1f} {by:.1f}")
    path.append(f"L{points[-1][0]:g} {points[-1][1]:g}")
    return "".join(path)
