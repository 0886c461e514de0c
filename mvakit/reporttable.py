"""A table that is text on a terminal and HTML in a notebook."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

__all__ = ["ReportTable"]


@dataclass(frozen=True, slots=True)
class ReportTable:
    """Rows of cells under a title, with remarks below them.

    Attributes
    ----------
    title : str
    head : tuple of str
        What each column is; nothing is shown of a table without.
    rows : tuple of tuple of str
    words : int
        How many columns, from the first, hold words; the others hold numbers.
    remarks : tuple of str
    """

    title: str
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    words: int = 1
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [self.title]
        if self.rows:
            widths = [max(len(row[i]) for row in (self.head, *self.rows)) for i in range(len(self.head))]
            head, *rows = (self._line(row, widths) for row in (self.head, *self.rows))
            rule = "-" * max(map(len, (head, *rows)))
            lines += [rule, head, rule, *rows, rule]
        return "\n".join([*lines, *self.remarks])

    def _line(self, row: tuple[str, ...], widths: list[int]) -> str:
        cells = [
            f"{cell:<{width}}" if i < self.words else f"{cell:>{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    def _repr_html_(self) -> str:
        remarks = "".join(f"<p>{escape(remark)}</p>" for remark in self.remarks)
        if not self.rows:
            return f"<p><strong>{escape(self.title)}</strong></p>{remarks}"
        head = "".join(self._cell("th", i, cell) for i, cell in enumerate(self.head))
        rows = "".join(
            "<tr>" + "".join(self._cell("td" if i else "th", i, cell) for i, cell in enumerate(row)) + "</tr>"
            for row in self.rows
        )
        return (
            f"<table><caption>{escape(self.title)}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{remarks}"
        )

    def _cell(self, tag: str, column: int, text: str) -> str:
        """Return a cell; colours are left to whoever shows it, light or dark."""
        side = "left" if column < self.words else "right"
        return f'<{tag} style="text-align: {side}">{escape(text)}</{tag}>'
