"""Images are decoded as people see them, or refused in one line, before they cost much."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow

from similarity.errors import ImageError, InputError
from similarity.images.decoding import ImageLimits, looks_like_image
from similarity.images.sources import read_image
from tests.similarity.images.made import as_file, picture


def chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def png_of(header: bytes, rows: bytes, *beside: bytes) -> bytes:
    """Return a PNG file of a header and rows, with other chunks beside them."""
    pixels = chunk(b"IDAT", zlib.compress(rows))
    parts = chunk(b"IHDR", header), *beside, pixels, chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def png_with_header(width: int, height: int) -> bytes:
    """Return a PNG file that says it is so large, and has no pixels."""
    return png_of(struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"")


def png_with_key(bits: int, samples: list[int], key: tuple[int, ...]) -> bytes:
    """Return a PNG file of one row, whose samples have so many bits, and its transparent colour."""
    whole = 0
    for sample in samples:
        whole = whole << bits | sample
    kind = 0 if len(key) == 1 else 2
    header = struct.pack(">IIBBBBB", len(samples) // len(key), 1, bits, kind, 0, 0, 0)
    row = b"\0" + whole.to_bytes(len(samples) * bits // 8, "big")
    return png_of(header, row, chunk(b"tRNS", struct.pack(f">{len(key)}H", *key)))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "WEBP", "JPEG"])
def test_each_format_is_read_by_its_content(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    data = as_file(picture(), kind, **options)
    image = read_image(data, "photo.txt")
    assert (image.width, image.height) == (12, 8)
    assert looks_like_image(data[:12])
    if kind in ("PNG", "BMP", "WEBP"):
        np.testing.assert_array_equal(image.pixels(), np.asarray(picture()))


def test_equal_pixels_are_one_image_whatever_the_file() -> None:
    first = read_image(as_file(picture(), "PNG"), "a.png")
    second = read_image(as_file(picture(), "BMP"), "b.bmp")
    other = read_image(as_file(picture(seed=1)), "a.png")
    turned = read_image(as_file(picture(8, 12)), "a.png")
    assert first == second
    assert len({first, second, other, turned}) == 3


def test_the_rotation_that_a_camera_noted_is_applied() -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6  # turn clockwise by a quarter to see it upright
    image = read_image(as_file(picture(), "PNG", exif=exif), "photo.png")
    assert (image.width, image.height) == (8, 12)
    np.testing.assert_array_equal(image.pixels(), np.rot90(np.asarray(picture()), -1))


def test_transparent_places_are_white() -> None:
    values = np.zeros((2, 2, 4), np.uint8)
    values[0, 0] = 10, 20, 30, 255
    values[1, 1] = 0, 0, 0, 128
    pixels = read_image(as_file(Pillow.fromarray(values)), "a.png").pixels()
    assert pixels[0, 0].tolist() == [10, 20, 30]
    assert pixels[0, 1].tolist() == [255, 255, 255]
    assert pixels[1, 1].tolist() == [127, 127, 127]


def test_a_transparent_colour_of_a_palette_is_white() -> None:
    palette = Pillow.new("P", (2, 1))
    palette.putpalette([9, 9, 9, 200, 0, 0])
    palette.putdata([0, 1])
    pixels = read_image(as_file(palette, "PNG", transparency=0), "a.png").pixels()
    assert pixels[0].tolist() == [[255, 255, 255], [200, 0, 0]]


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_a_transparent_grey_of_any_depth_is_white(bits: int) -> None:
    """Of 2, 4 and 16 bits it was read as if nothing were transparent."""
    top = 2**bits - 1
    for key in {0, 1, top // 3, top - 1} - {top}:
        other = key // 2 if key > 1 else top
        data = png_with_key(bits, [key, other] * 4, (key,))
        row = read_image(data, "a.png").pixels()[0]
        seen = other * 255 // top
        assert row.tolist() == [[255, 255, 255], [seen, seen, seen]] * 4


@pytest.mark.parametrize("bits", [8, 16])
def test_a_transparent_colour_of_any_depth_is_white(bits: int) -> None:
    top = 2**bits - 1
    for key in ((0, 0, top - 50), (1, 2, 3), (top // 3, top // 2, 7), (0, top, 0)):
        seen = [top - sample for sample in key]
        data = png_with_key(bits, [*key, *seen], key)
        row = read_image(data, "a.png").pixels()[0]
        assert row[0].tolist() == [255, 255, 255]
        np.testing.assert_allclose(row[1], [sample * 255 // top for sample in seen], atol=1)


def test_sixteen_bits_are_scaled_to_eight() -> None:
    values = np.array([[0, 257, 65535]], np.uint16)
    pixels = read_image(as_file(Pillow.fromarray(values)), "a.png").pixels()
    assert pixels[0, :, 0].tolist() == [0, 1, 255]


def test_grey_and_print_colours_become_red_green_and_blue() -> None:
    for mode in ("L", "LA", "1", "CMYK"):
        kind = "JPEG" if mode == "CMYK" else "PNG"
        image = read_image(as_file(picture().convert(mode), kind), "a")
        assert image.pixels().shape == (8, 12, 3)


@pytest.mark.parametrize("side", [7_000, 12_000, 60_000])
def test_too_many_pixels_are_refused_before_they_are_decoded(side: int) -> None:
    with pytest.raises(InputError, match=r"image 'bomb.png' has .*at most 40000000 are allowed"):
        read_image(png_with_header(side, side), "bomb.png")


@pytest.mark.parametrize("sides", [(201, 1), (1, 201), (400_000, 1), (3, 601)])
def test_an_image_far_longer_than_wide_is_refused_before_it_is_decoded(
    sides: tuple[int, int],
) -> None:
    """Of 128 bytes with 400,000 pixels in one row a processor made gigabytes."""
    with pytest.raises(ImageError, match=r"'line.png' has .* at most 200 times as long as the oth"):
        read_image(png_with_header(*sides), "line.png")


def jpeg_of_scans(count: int) -> bytes:
    """Return a progressive JPEG file whose last scan is repeated until it has so many."""
    data = as_file(Pillow.new("RGB", (64, 64)), "JPEG", progressive=True)
    begin = data.rindex(b"\xff\xda")
    more = count - data.count(b"\xff\xda")
    return data[:-2] + data[begin:-2] * more + data[-2:]


def test_a_jpeg_file_of_very_many_scans_is_refused_before_it_is_decoded() -> None:
    """Each scan passes over all pixels: 4 MiB of them took more than half an hour."""
    assert read_image(jpeg_of_scans(500), "a").pixels().shape == (64, 64, 3)
    with pytest.raises(ImageError, match=r"image 'many.jpg' has more than 500 scans of its pixels"):
        read_image(jpeg_of_scans(501), "many.jpg")


@pytest.mark.parametrize("sides", [(200, 1), (1, 200), (600, 3)])
def test_an_image_not_quite_so_long_is_read(sides: tuple[int, int]) -> None:
    image = read_image(as_file(picture(*sides)), "line.png")
    assert (image.width, image.height) == sides


def test_a_limit_of_ones_own_holds() -> None:
    limits = ImageLimits(max_pixels=95)
    with pytest.raises(InputError, match="12 × 8 pixels; at most 95"):
        read_image(as_file(picture()), "a.png", limits)
    assert read_image(as_file(picture()), "a.png", ImageLimits(max_pixels=96)).width == 12


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(InputError, match="more than 10 bytes"):
        read_image(as_file(picture()), "a.png", ImageLimits(max_bytes=10))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_animations_are_refused(kind: str) -> None:
    frames = [picture(seed=1), picture(seed=2)]
    data = as_file(picture(), kind, save_all=True, append_images=frames)
    with pytest.raises(InputError, match="an animation of 3 frames; give one frame"):
        read_image(data, "a")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
def test_truncated_files_are_refused(kind: str) -> None:
    data = as_file(picture(64, 64), kind)
    with pytest.raises(InputError, match=r"image 'a' is (truncated or damaged|none of PNG)"):
        read_image(data[: len(data) // 2], "a")


def test_much_text_or_profile_beside_the_pixels_is_named_as_that() -> None:
    """They were called truncated or damaged, and no saving again helped."""
    much = zlib.compress(bytes(2**20 + 1))
    header, row = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0), b"\0\7"
    few = zlib.compress(bytes(2**20))
    for kind, before in ((b"iCCP", b"p\0\0"), (b"zTXt", b"t\0\0"), (b"iTXt", b"t\0\1\0\0\0")):
        with pytest.raises(InputError, match="1 MiB of text or of a colour .* without metadata"):
            read_image(png_of(header, row, chunk(kind, before + much)), "a.png")
        assert read_image(png_of(header, row, chunk(kind, before + few)), "a.png").width == 1
    many = [chunk(b"zTXt", b"%d\0\0" % number + few) for number in range(65)]
    with pytest.raises(InputError, match="of a colour profile beside its pixels"):
        read_image(png_of(header, row, *many), "a.png")


def test_what_is_no_image_is_refused() -> None:
    for data in (b"", b"A dog runs.", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7"):
        with pytest.raises(InputError, match="is none of PNG, JPEG, WEBP, GIF, BMP"):
            read_image(data, "photo.png")


def test_formats_that_are_not_read_are_refused() -> None:
    data = as_file(picture(), "TIFF")
    with pytest.raises(InputError, match="is none of PNG"):
        read_image(data, "photo.png")


def test_samples_of_32_bits_are_refused() -> None:
    with pytest.raises(InputError, match="is none of|samples of 32 bits"):
        read_image(as_file(Pillow.fromarray(np.zeros((2, 2), np.float32)), "TIFF"), "a")


def test_damaged_bytes_never_raise_anything_else() -> None:
    rng = np.random.default_rng(0)
    said = []
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "BMP"):
        data = as_file(picture(32, 32), kind)
        for _ in range(40):
            damaged = bytearray(data)
            for place in rng.integers(0, len(data), 5):
                damaged[place] = int(rng.integers(0, 256))
            try:
                read_image(bytes(damaged), "a")
            except InputError as error:
                said.append(str(error))
    assert len(said) > 40
    assert not any("\n" in line for line in said)
