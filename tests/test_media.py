"""Images of an answer: their bytes, their media type, saving and showing them."""

from __future__ import annotations

import base64
import copy
import pickle
import struct
import tracemalloc
from pathlib import Path

import msgspec
import pytest

from openrouter_async.types import Image, ImageURL

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
WEBP = b"RIFF\x24\0\0\0WEBPVP8 "
AVIF = b"\0\0\0\x1cftypavif\0\0\0\0"


def image(url: str) -> Image:
    """Give an image with a URL."""
    return Image(image_url=ImageURL(url=url))


def embedded(data: bytes, media_type: str = "image/png") -> Image:
    """Give an image that holds its bytes."""
    return image(f"data:{media_type};base64,{base64.b64encode(data).decode()}")


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 1_000, 3 * 2**18, 3 * 2**18 + 1, 2**20])
def test_bytes_of_every_length(size: int) -> None:
    """The bytes come out whole, whatever their length, and are decoded once."""
    data = bytes(index % 251 for index in range(size))
    found = embedded(data)
    assert found.bytes == data
    assert found.bytes is found.bytes


CODED = base64.b64encode(PNG).decode()


@pytest.mark.parametrize(
    "url",
    [
        f"data:image/png;base64,{CODED.rstrip('=')}",
        f"data:image/png;base64,{CODED}==",
        f"data:image/png;base64, {CODED}\n",
        "data:image/png;base64,"
        + "\r\n".join(CODED[at : at + 76] for at in range(0, len(CODED), 76)),
        f"data:image/png;base64,{CODED.replace('+', '-').replace('/', '_')}",
        f"data:image/png;base64,{CODED.replace('+', '%2B').replace('/', '%2F').replace('=', '%3D')}",
        f"data:image/png;charset=binary;base64,{CODED}",
        f"data:;base64,{CODED}",
        f"data:image/png;BASE64,{CODED}",
    ],
    ids=["no padding", "too much padding", "white space", "lines", "URL alphabet", "percent signs",
         "parameter", "no type", "large letters"],
)  # fmt: skip
def test_untidy_base64_is_mended(url: str) -> None:
    """Base64 whose meaning is plain is decoded to the right bytes."""
    assert "+" in CODED
    assert "/" in CODED
    assert image(url).bytes == PNG


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64,!!!!",
        "data:image/png;base64,QUJD*REVG",
        "data:image/png;base64,A",
        "data:image/png;base64,QUJDR",
        "data:image/png;base64,QQ==QQ==",
        "data:image/png;base64,\u00e9\u00e9\u00e9\u00e9",
        f"data:image/png;base64,{'QUJD' * 2**18}!",
        "data:image/png;base64",
        "data:",
    ],
)
def test_broken_base64_is_never_decoded_to_something(url: str) -> None:
    """What is no base64 raises, instead of giving wrong bytes."""
    with pytest.raises(ValueError, match="data URL"):
        _ = image(url).bytes


@pytest.mark.parametrize("url", ["https://a.example/x.png", "http://a.example/x", "", "x.png"])
def test_an_image_elsewhere_says_so(url: str, tmp_path: Path) -> None:
    """Bytes that are not in the answer are not fetched; the error says what to do."""
    found = image(url)
    for attempt in (lambda: found.bytes, lambda: found.save(tmp_path / "x.png")):
        with pytest.raises(ValueError, match=r"only its URL is; fetch image\.url yourself"):
            attempt()
    assert found.url == url
    assert found.media_type == "application/octet-stream"
    assert not list(tmp_path.iterdir())


def test_a_data_url_in_percent_signs() -> None:
    """A data URL need not be base64."""
    found = image("data:image/svg+xml;utf8,%3Csvg%20xmlns='http://www.w3.org/2000/svg'/%3E")
    assert found.bytes == b"<svg xmlns='http://www.w3.org/2000/svg'/>"
    assert found.media_type == "image/svg+xml"


@pytest.mark.parametrize(
    ("found", "media_type"),
    [
        (embedded(b"x", "image/webp"), "image/webp"),
        (embedded(PNG, "IMAGE/JPEG"), "image/jpeg"),
        (embedded(b"x", "image/png;charset=binary"), "image/png"),
        (embedded(PNG, ""), "image/png"),
        (embedded(b"\xff\xd8\xff\xe0", ""), "image/jpeg"),
        (embedded(b"GIF89a", ""), "image/gif"),
        (embedded(b"BM1234", ""), "image/bmp"),
        (embedded(WEBP, ""), "image/webp"),
        (embedded(AVIF, ""), "image/avif"),
        (embedded(SVG, ""), "image/svg+xml"),
        (embedded(b"words", ""), "application/octet-stream"),
        (embedded(b"", ""), "application/octet-stream"),
    ],
    ids=repr,
)
def test_media_type(found: Image, media_type: str) -> None:
    """The media type is the declared one, else what the first bytes say."""
    assert found.media_type == media_type


@pytest.mark.parametrize(
    ("name", "media_type", "saved"),
    [
        ("rain", "image/png", "rain.png"),
        ("rain", "image/jpeg", "rain.png"),
        ("rain", "image/x-to-come", "rain.png"),
        ("rain.PNG", "image/png", "rain.PNG"),
        ("rain.jpg", "image/png", "rain.jpg"),
    ],
)
def test_saving(name: str, media_type: str, saved: str, tmp_path: Path) -> None:
    """A path without a suffix gets that of what the bytes are; a path with one is left as it is."""
    path = embedded(PNG, media_type).save(tmp_path / name)
    assert path == tmp_path / saved
    assert path.read_bytes() == PNG
    assert embedded(PNG, media_type).media_type == media_type


def test_a_suffix_comes_from_what_is_said_where_the_bytes_tell_nothing(tmp_path: Path) -> None:
    """An image of a kind that is not known by its bytes is named as the server named it."""
    assert embedded(b"\x00\x01", "image/avif").save(tmp_path / "rain") == tmp_path / "rain.avif"
    assert embedded(b"\x00\x01", "image/odd").save(tmp_path / "rain") == tmp_path / "rain.bin"


def test_having_been_looked_at_changes_no_image() -> None:
    """Two images that are the same stay so when one of them has been decoded."""
    one, other = embedded(PNG), embedded(PNG)
    assert one.bytes
    assert one == other
    assert one != embedded(SVG)
    assert one != "an image"


def test_saving_replaces_a_file_only_when_asked(tmp_path: Path) -> None:
    """A picture of yesterday is not lost to one of today."""
    path = tmp_path / "rain.png"
    path.write_bytes(b"yesterday")
    with pytest.raises(FileExistsError, match=r"rain\.png"):
        embedded(PNG).save(tmp_path / "rain")
    assert path.read_bytes() == b"yesterday"
    assert embedded(SVG).save(str(path), overwrite=True).read_bytes() == SVG


async def test_saving_off_the_loop(tmp_path: Path) -> None:
    """The same, awaited: the path comes back, and what is there is kept."""
    path = await embedded(PNG).save_async(tmp_path / "rain")
    assert path.read_bytes() == PNG
    with pytest.raises(FileExistsError):
        await embedded(PNG).save_async(path)


PIXELS = {
    "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 640, 480) + bytes(9),
    "gif": b"GIF89a" + struct.pack("<HH", 640, 480) + bytes(9),
    "bmp": b"BM" + bytes(16) + struct.pack("<ii", 640, -480) + bytes(9),
    "jpeg": b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08"
    + struct.pack(">HH", 480, 640)
    + bytes(20),
    "jpeg with a long preview": b"\xff\xd8\xff\xe1\xff\xff"
    + bytes(0xFFFD)
    + b"\xff\xff\xc2\x00\x11\x08"
    + struct.pack(">HH", 480, 640)
    + bytes(20),
    "webp, lossy": b"RIFF\0\0\0\0WEBPVP8 " + bytes(10) + struct.pack("<HH", 640, 480) + bytes(9),
    "webp, lossless": b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f"
    + struct.pack("<I", 639 | 479 << 14)
    + bytes(9),
    "webp, extended": b"RIFF\0\0\0\0WEBPVP8X" + bytes(8) + b"\x7f\x02\x00\xdf\x01\x00" + bytes(9),
}


@pytest.mark.parametrize("data", PIXELS.values(), ids=list(PIXELS))
def test_the_size_comes_from_the_header(data: bytes) -> None:
    """Width and height are read without decoding the picture."""
    found = embedded(data)
    assert (found.width, found.height) == (640, 480)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(embedded(b"\xff\xd8\xff\xd9"), id="a JPEG without a frame"),
        pytest.param(embedded(b"\x89PNG"), id="cut short"),
        pytest.param(embedded(b"nothing"), id="no picture"),
        pytest.param(image("https://a.b/c.png"), id="elsewhere"),
    ],
)
def test_a_size_that_is_not_known_is_none(found: Image) -> None:
    """Nothing is fetched and nothing guessed."""
    assert found.width is None
    assert found.height is None


def test_saving_where_nothing_can_be_written(tmp_path: Path) -> None:
    """A path that cannot be written is the operating system's error."""
    with pytest.raises(FileNotFoundError):
        embedded(PNG).save(tmp_path / "no" / "such" / "rain.png")


def test_the_repr_is_short() -> None:
    """Megabytes of base64 are not printed, alone or inside a chunk."""
    found = embedded(bytes(100_000))
    assert len(repr(found)) < 120
    assert repr(found).startswith("Image(url='data:image/png;base64,AAAA")
    assert len(repr([found])) < 120
    assert repr(image("https://a.example/x.png")) == "Image(url='https://a.example/x.png')"


def test_a_notebook_shows_the_image() -> None:
    """A notebook gets the bytes, a drawing as text, and a URL in words."""
    assert embedded(PNG)._repr_mimebundle_() == {"image/png": PNG}
    assert embedded(SVG, "image/svg+xml")._repr_mimebundle_(include=None, exclude=None) == {
        "image/svg+xml": SVG.decode()
    }
    elsewhere = image("https://a.example/x.png")
    assert elsewhere._repr_mimebundle_() == {"text/plain": "Image(url='https://a.example/x.png')"}


def test_decoding_changes_nothing_about_the_image() -> None:
    """An image whose bytes were asked for pickles and copies as before."""
    found = embedded(PNG)
    assert found.bytes == PNG
    for twin in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):
        assert twin.url == found.url
        assert twin.bytes == PNG
    wire = msgspec.json.decode(found.to_json())
    assert wire == {"type": "image_url", "image_url": {"url": found.url}}


def test_a_large_image_is_not_copied_about() -> None:
    """Decoding 12 MiB takes little more memory than the 12 MiB."""
    size = 12 * 2**20
    found = embedded(bytes(size))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        assert len(found.bytes) == size
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak < 1.3 * size
