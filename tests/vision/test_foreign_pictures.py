"""Pictures that rtswap does not read are named for what they are."""

import io
from pathlib import Path

import numpy as np
import pytest
from media_files import make_clip
from PIL import Image

from rtswap.app.batch import passed_over as batch_left_out
from rtswap.app.config import Config
from rtswap.app.io_sections import InputConfig
from rtswap.commands.extract.files import files_in
from rtswap.core.errors import InputError, SourceError
from rtswap.media.inputs.image import ImageInput
from rtswap.media.inputs.video import VideoFile
from rtswap.source.consent.record import photo_digest
from rtswap.vision.foreign_pictures import unread_tiff
from rtswap.vision.images import read_image

OTHERS = {
    "layers.psd": (b"8BPS\0\1", "a Photoshop document"),
    "photo.jxl": (b"\xff\x0a\xfa\x1f", "a JPEG XL picture"),
    "boxed.jxl": (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
    "render.exr": (b"v/1\x01\x02\0\0\0", "an OpenEXR picture"),
    "light.hdr": (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n", "a Radiance HDR picture"),
    "scan.pdf": (b"%PDF-1.4\n", "a PDF document"),
    "picture.ppm": (b"P6\n2 2\n255\n" + bytes(12), "a Netpbm picture"),
    "drawing.svg": (b'<?xml version="1.0"?><svg width="9"/>', "an SVG drawing"),
    "page.ico": (b"\0\0\1\0\1\0", "an icon"),
    "render.tga": (b"\0\0\2" + bytes(9), "a Targa picture"),
    "scan.pcx": (b"\x0a\5\1\x08" + bytes(60), "a PCX picture"),
    "render.sgi": (b"\1\xda\1\1\0\3", "an SGI picture"),
    "skin.dds": (b"DDS |\0\0\0", "a DDS texture"),
    "IMG_1.CR2": (b"II*\0\x10\0\0\0CR\2\0", "a camera's raw picture"),
    "IMG_1.NEF": (b"MM\0*\0\0\0\x08", "a camera's raw picture"),
    "IMG_1.CR3": (b"\0\0\0\x18ftypcrx ", "a camera's raw picture"),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("read", [read_image, VideoFile])
def test_a_picture_of_another_kind_is_named(name: str, read: type, tmp_path: Path) -> None:
    data, kind = OTHERS[name]
    path = tmp_path / name
    path.write_bytes(data + bytes(600))
    with pytest.raises(InputError, match=f"got {kind}. Convert it to PNG or JPEG."):
        read(path)


def test_what_has_no_name_is_to_be_converted(tmp_path: Path) -> None:
    """Raw video was called a list of files, which refers to other files, with nothing to do about it."""
    path = tmp_path / "film.yuv"
    path.write_bytes(np.full((60, 64, 96), 120, np.uint8).tobytes())
    with pytest.raises(InputError, match=r"cannot read .*Convert it to MP4, or a picture to PNG\."):
        VideoFile(path)


def test_pictures_of_a_folder_that_are_not_read_are_named(tmp_path: Path) -> None:
    """They were passed over without a word if there were others in the folder."""
    for name in ("IMG_1.NEF", "layers.psd", "scan.pdf", "notes.txt"):
        (tmp_path / name).write_bytes(OTHERS.get(name, OTHERS["IMG_1.NEF"])[0] * (name != "notes.txt") + b"letters")
    for name in (".hidden.psd", "me.jpg", "IMG_2"):
        Image.new("RGB", (60, 60)).save(tmp_path / name, "JPEG")
    told = f"{tmp_path}: 3 pictures passed over: a camera's raw picture (IMG_1.NEF) and others"
    events: list[str] = []
    ImageInput(tmp_path, on_event=events.append)
    assert events == [told]
    assert files_in([str(tmp_path)], tmp_path / "out", events.append) == [tmp_path / "me.jpg"]
    assert events == [told, told]
    (tmp_path / "clip.mp4").write_bytes(b"a damaged clip")
    assert batch_left_out(Config(input=InputConfig(address=str(tmp_path)))) == told


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi", ".flv"])
def test_a_video_in_place_of_a_photo_is_called_a_video(suffix: str, tmp_path: Path) -> None:
    codec = {".webm": "libvpx-vp9", ".flv": "flv"}.get(suffix, "mpeg4")
    make_clip(tmp_path / f"me{suffix}", codec=codec)
    with pytest.raises(InputError, match=r"got a video\. Save one of its frames as PNG, or .*rtswap extract"):
        read_image(tmp_path / f"me{suffix}")


def test_the_address_of_a_photo_is_called_an_address(tmp_path: Path) -> None:
    """And shown as one, without its secrets."""
    for address, shown in (
        ("https://host/me.jpg", "https://host/me.jpg"),
        ("https://me:pw@host/me.jpg", r"https://\*\*\*@host/me.jpg"),
        ("file:///home/me.jpg", "file:/home/me.jpg"),
    ):
        for read in (read_image, photo_digest):
            with pytest.raises(
                (InputError, SourceError), match=f"no such file: {shown}. It is an address: download it"
            ):
                read(Path(address))
    for path in ("me.jpg", "C:/me.jpg", str(tmp_path / "a:b/me.jpg")):
        with pytest.raises(InputError, match="Check the path"):
            read_image(path)


def test_a_raw_picture_is_refused_although_its_thumbnail_could_be_read(tmp_path: Path) -> None:
    path = tmp_path / "IMG_1.dng"
    Image.new("RGB", (160, 120)).save(path, "TIFF")
    with pytest.raises(InputError, match="a camera's raw picture"):
        read_image(path)


@pytest.mark.parametrize("kind", [np.float32, np.int32, np.float64])
@pytest.mark.parametrize(("shape", "value"), [((40, 60), 1000), ((40, 60, 3), 1)])
def test_a_tiff_of_many_bits_is_not_called_damaged(
    kind: type[np.generic], shape: tuple[int, ...], value: int, tmp_path: Path
) -> None:
    path = tmp_path / "deep.tif"
    path.write_bytes(tiff(np.full(shape, value).astype(kind)))
    bits, numbers = np.dtype(kind).itemsize * 8, "signed" if kind is np.int32 else "floating-point"
    with pytest.raises(InputError, match=f"got a TIFF of {bits}-bit {numbers} numbers. Convert it"):
        read_image(path)


def test_grey_from_0_to_1_is_not_black(tmp_path: Path) -> None:
    path = tmp_path / "deep.tif"
    path.write_bytes(tiff(np.linspace(0, 1, 2400, dtype=np.float32).reshape(40, 60)))
    assert np.abs(read_image(path)[..., 0].ravel() - np.linspace(0, 255, 2400)).max() <= 1


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_a_tiff_that_is_read_is_not_foreign(mode: str) -> None:
    out = io.BytesIO()
    Image.new(mode, (9, 7)).save(out, "TIFF")
    assert unread_tiff(out.getvalue()) == ""
    for cut in range(0, 200, 7):
        assert unread_tiff(out.getvalue()[:cut]) == ""


def tiff(pixels: np.ndarray) -> bytes:
    """An uncompressed TIFF, little-endian (TIFF 6.0, section 2)."""
    height, width, *rest = pixels.shape
    channels = rest[0] if rest else 1
    number = 2 if pixels.dtype.kind == "i" else 3
    begin = 8 + pixels.nbytes
    tags = {256: (4, [width]), 257: (4, [height]), 258: (3, [pixels.itemsize * 8] * channels), 259: (3, [1])}
    tags |= {262: (3, [2 if channels == 3 else 1]), 273: (4, [8]), 277: (3, [channels]), 278: (4, [height])}
    tags |= {279: (4, [pixels.nbytes]), 339: (3, [number] * channels)}
    more = begin + 2 + 12 * len(tags) + 4
    entries, extra = b"", b""
    for tag, (kind, values) in tags.items():
        value = np.array(values, {3: "<u2", 4: "<u4"}[kind]).tobytes()
        if len(value) > 4:
            value, extra = (more + len(extra)).to_bytes(4, "little"), extra + value
        entries += np.array([tag, kind], "<u2").tobytes() + len(values).to_bytes(4, "little") + value.ljust(4, b"\0")
    head = b"II*\0" + begin.to_bytes(4, "little")
    return head + pixels.tobytes() + len(tags).to_bytes(2, "little") + entries + bytes(4) + extra
