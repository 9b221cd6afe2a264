"""Writes small PDF files, for tests that need real ones.

The rule of this file: pages of text in, the bytes of a PDF out, by the letter of the standard:
one font, one page each, a cross-reference table that is right. The same pages give the same bytes.
"""

from __future__ import annotations

import textwrap
from typing import Final

__all__ = ["make_pdf"]

_HEAD: Final = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
_COLUMNS: Final = 90
_FONT: Final = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
_ESCAPED: Final = str.maketrans({"\\": r"\\", "(": r"\(", ")": r"\)"})


def make_pdf(*pages: str) -> bytes:
    """Make a PDF with the text of each page on it.

    Args:
        pages: The text of each page, in Western European characters.

    Raises:
        ValueError: There is no page, or a character is of another alphabet.

    >>> make_pdf("Hello", "Goodbye").startswith(b"%PDF-1.4")
    True
    """
    if not pages:
        raise ValueError("a PDF has at least one page")
    # Objects by number: catalogue, list of pages, font, then page and content by turns.
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        _FONT.encode(),
    ]
    for number, page in enumerate(pages):
        content = _content(page)
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] "
            b"/Resources << /Font << /F1 3 0 R >> >> "
            b"/Contents %d 0 R >>" % (5 + 2 * number),
            b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content),
        ]
    return _file(objects)


def _content(page: str) -> bytes:
    lines = [
        line
        for paragraph in page.splitlines()
        for line in textwrap.wrap(paragraph, _COLUMNS) or [""]
    ]
    shown = "\n".join(f"({line.translate(_ESCAPED)}) Tj T*" for line in lines)
    return f"BT /F1 11 Tf 14 TL 50 790 Td\n{shown}\nET".encode("cp1252")


def _file(objects: list[bytes]) -> bytes:
    written = bytearray(_HEAD)
    offsets: list[int] = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(written))
        written += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = len(written)
    size = len(objects) + 1
    written += b"xref\n0 %d\n0000000000 65535 f \n" % size
    for offset in offsets:
        written += b"%010d 00000 n \n" % offset
    written += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, table)
    return bytes(written)
