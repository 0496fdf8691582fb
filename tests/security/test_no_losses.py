"""A run never overwrites a file that it reads, by whatever name and flag."""

from __future__ import annotations

import errno
import os
import secrets
import shlex
import tomllib
from pathlib import Path

import cv2
import foreign_models as foreign
import pytest
from media_files import make_clip, mark_picture
from people import group
from plan_files import PLAN, manifest

from rtswap.app.config import Config
from rtswap.app.io_sections import InputConfig, MetricsConfig, OutputConfig
from rtswap.app.log_file import LogFile
from rtswap.app.overwriting import refuse_losses
from rtswap.app.sections import SourceConfig
from rtswap.commands.main import main
from rtswap.core.errors import OutputError, UsageError
from rtswap.core.files import write_atomic
from rtswap.core.parts import OutputSpec
from rtswap.engines.openvino import OpenVinoEngine
from rtswap.engines.tensorrt.plan_store import PlanCache
from rtswap.faceset.table import TABLE, TableWriter
from rtswap.media import outputs as media_outputs
from rtswap.media.outputs import open_output
from rtswap.media.outputs.null import Null
from rtswap.runtime.metrics import Metrics
from rtswap.runtime.metrics_log import MetricsLog

CASES = {
    "the input itself": "-s persona:vera -i clip.mp4 -o clip.mp4",
    "by another spelling": "-s persona:vera -i clip.mp4 -o ./sub/../clip.mp4",
    "as a URL": "-s persona:vera -i file://{here}/clip.mp4 -o clip.mp4",
    "by a symbolic link": "-s persona:vera -i clip.mp4 -o link.mp4",
    "through a symbolic link": "-s persona:vera -i link.mp4 -o clip.mp4",
    "by a hard link": "-s persona:vera -i clip.mp4 -o hard.mp4",
    "a picture": "-s persona:vera -i face.png -o face.png",
    "the second output": "-s persona:vera -i clip.mp4 -o null -o clip.mp4",
    "a folder": "-s persona:vera -i frames -o frames/",
    "a folder by numbers": "-s persona:vera -i frames -o frames/%05d.png",
    "a picture of the folder": "-s persona:vera -i frames -o frames/00001.png",
    "a picture among numbered ones": "-s persona:vera -i frames/00001.png -o frames/",
    "a link among numbered ones": "-s persona:vera -i face.png -o links/",
    "a link of the same name": "-s persona:vera -i frames -o same/",
    "the photo in the folder of outputs": "-s seen/sheet.png -i named -o seen/",
    "the photo": "-s face.png -i clip.mp4 -o face.png",
    "a photo of a folder": "-s frames -i clip.mp4 -o frames/00000.png",
    "a photo whose name begins with a blank": "-s ' me.png' -i clip.mp4 -o './ me.png'",
    "an input whose name begins with a blank": "-s persona:vera -i ' in.mp4' -o './ in.mp4'",
    "a photo whose name begins with a tilde": "-s '~me.png' -i clip.mp4 -o './~me.png'",
    "the next source": "-s persona:vera --also face.png -i clip.mp4 -o face.png",
    "the metrics": "-s persona:vera -i clip.mp4 -o null --metrics clip.mp4",
    "the manifest beside": "-s persona:vera -i clip.c2pa -o clip.mkv",
    "the input's manifest": "-s persona:vera -i film.mkv -o film.webm",
    "the key": "-s persona:vera -i clip.mp4 -o face.png --sign-with clip.mp4 --sign-key face.png",
    "another file of a batch": "-s persona:vera clip.ts there/clip.mp4 there/",
    "a part of a playlist": "-s persona:vera -i list.m3u8 -o clip.mp4",
    "inspect": "inspect seen/annotated.mp4 --output seen",
    "extract": "extract seen/sheet.png --out seen",
    "eval": "eval --sources seen --out seen",
}
TWICE = [
    ("out.mp4", "out.mp4"),
    ("out.mp4", "sub/../out.mp4"),
    ("out.png", "new/../out.png"),
    ("pictures/", "pictures/%05d.png"),
    ("pictures/", "pictures/00007.png"),
    ("a.mkv", "a.bmp"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    face = group("ada", size=160)
    for name in ("sub", "new", "frames", "links", "seen", "pictures", "same", "named", "there"):
        (tmp_path / name).mkdir()
    for name in (
        "face.png",
        "frames/00000.png",
        "frames/00001.png",
        "seen/sheet.png",
        "named/sheet.png",
        " me.png",
        "~me.png",
    ):
        assert cv2.imwrite(str(tmp_path / name), face)
    make_clip("clip.mp4", [face] * 3)
    for name in ("clip.c2pa", "film.mkv", "film.c2pa", "seen/annotated.mp4"):
        (tmp_path / name).write_bytes((tmp_path / "clip.mp4").read_bytes())
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nsub/deep.m3u8\n")
    (tmp_path / "sub/deep.m3u8").write_text("#EXTM3U\n#EXTINF:1,\n../clip.mp4\n")
    for name in ("there/clip.mp4", "clip.ts", " in.mp4"):
        (tmp_path / name).write_bytes((tmp_path / "clip.mp4").read_bytes())
    (tmp_path / "link.mp4").symlink_to("clip.mp4")
    (tmp_path / "links/00003.png").symlink_to("../face.png")
    os.link("clip.mp4", "hard.mp4")
    os.link("frames/00001.png", "same/00001.png")
    return tmp_path


@pytest.mark.parametrize("args", CASES.values(), ids=CASES)
def test_inputs_are_kept(folder: Path, args: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    flags = shlex.split(args.format(here=folder))
    for more in (["-y"], []):
        assert main([*flags, *([] if flags[0] == "extract" else ["--i-have-consent"]), *more]) == 2
        told = capsys.readouterr().err.splitlines()[-1]
        assert " is " in told
        assert "another name" in told or "another folder" in told
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("outputs", TWICE)
def test_no_file_is_written_twice(outputs: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="two outputs write"):
        refuse_losses(Config(output=OutputConfig(outputs)))


def test_a_folder_has_one_identity_however_it_is_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that is mounted twice, whose paths do not tell."""
    monkeypatch.setattr(os.path, "realpath", lambda path, **_: str(path))
    (tmp_path / "one").mkdir()
    (tmp_path / "other").symlink_to("one")
    with pytest.raises(UsageError, match="two outputs write"):
        refuse_losses(Config(output=OutputConfig((f"{tmp_path}/one/a.mp4", f"{tmp_path}/other/A.mp4"))))


@pytest.mark.parametrize("address", ["sheet:face.png", "sheet:sub/../frames/"])
def test_the_file_behind_a_prefix_counts(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    config = Config(source=SourceConfig(("face.png",)), input=InputConfig("frames"), output=OutputConfig((address,)))
    refuse_losses(config)  # what no output claims is the name of a file
    sheet = OutputSpec(
        "sheet", "", lambda given: given[:6] == "sheet:", lambda *_: Null(), path=lambda given: given[6:]
    )
    monkeypatch.setattr(media_outputs, "built_in", lambda *_: iter((sheet,)))
    with pytest.raises(UsageError, match="inputs are never overwritten"):
        refuse_losses(config)


def test_the_metrics_are_no_output_of_another_kind() -> None:
    with pytest.raises(UsageError, match="two outputs write"):
        refuse_losses(Config(output=OutputConfig(("a.mp4",)), metrics=MetricsConfig("a.mp4")))


def test_safe_outputs_are_allowed() -> None:
    """Also beside the input, into its folder under a new name, and twice to what keeps no file."""
    for outputs in (
        ("null", "null"),
        ("window", "vcam", "vcam:x"),
        ("udp://h:1", "out.mp4", "out.mkv"),
        ("frames/a.png",),
    ):
        refuse_losses(
            Config(
                source=SourceConfig(("persona:vera", "face.png")),
                input=InputConfig("frames"),
                output=OutputConfig(outputs),
            )
        )
    refuse_losses(Config(input=InputConfig("0"), output=OutputConfig(("0.mp4",))))


@pytest.mark.parametrize("letter", ["x", "\u4eba"])
def test_names_as_long_as_the_disk_allows_work(folder: Path, letter: str) -> None:
    """Temporary names are not longer than the final one."""
    for source, suffix in (("clip.mp4", ".mp4"), ("face.png", ".png")):
        name = letter * ((250 - len(suffix)) // len(letter.encode()))
        name += "x" * (250 - len(suffix) - len(name.encode())) + suffix
        assert main(["-q", "-s", "persona:vera", "-i", source, "-o", f"new/{name}"]) == 0
        assert (folder / "new" / name).stat().st_size > 1000
    assert len(list((folder / "new").iterdir())) == 2


@pytest.mark.parametrize("address", ["out.mp4", "out.mkv", "out.png", "out/", "out_%d.png"])
@pytest.mark.parametrize("links", [True, False], ids=["links", "a file system without links"])
def test_of_two_runs_that_end_together_none_loses_its_output(
    folder: Path, address: str, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other's file appears after the last look: here at the moment in which the finished file gets its name."""
    link = os.link

    def late(source: str | Path, target: str | Path) -> None:
        Path(target).write_bytes(b"the other's")
        if not links:
            raise OSError(errno.EPERM, "no links here")
        link(source, target)

    def write() -> None:
        output.send(mark_picture(0))
        output.close()

    output = open_output(address)
    monkeypatch.setattr(os, "link", late)
    with pytest.raises(OutputError, match="was created by another program"):
        write()
    kept = folder / (address.replace("%d", "0") + ("00000.png" if address.endswith("/") else ""))
    assert kept.read_bytes() == b"the other's"


def test_config_writes_the_file_that_it_reads(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``rtswap config > rtswap.toml`` empties the file before it is read."""
    file = folder / "rtswap.toml"
    file.write_text("[swap]\nstrength = 0.7\n")
    assert main(["config", "--write", "rtswap.toml"]) == 1
    assert "already exists" in capsys.readouterr().err
    assert file.read_text() == "[swap]\nstrength = 0.7\n"
    assert main(["config", "--write", "rtswap.toml", "-y"]) == 0
    written = tomllib.loads(file.read_text())
    assert written["swap"]["strength"] == 0.7
    assert not written["output"]["overwrite"]
    assert file.stat().st_mode & 0o077 == 0


def test_no_device_is_written_to(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo("pipe.mp4")
    (folder / "null.png").symlink_to("/dev/null")
    for args in (
        ["-s", "persona:vera", "-i", "clip.mp4", "-o", "pipe.mp4", "-y"],
        ["-s", "persona:vera", "-i", "face.png", "-o", "null.png", "-y"],
        ["config", "--write", "null.png", "-y"],
    ):
        assert main(args) in (1, 2)
        assert "a device or a pipe" in capsys.readouterr().err
    assert Path("/dev/null").is_char_device()


def test_a_planted_link_leads_no_temporary_file_elsewhere(folder: Path) -> None:
    """Temporary names cannot be foreseen, or are created only if they are new."""
    before = Path("face.png").read_bytes()
    for name in ("m.prom.tmp", "out.partial.mp4", ".out.png.part"):
        (folder / name).symlink_to("face.png")
    log = MetricsLog(folder / "m.prom", Metrics(), warn=pytest.fail)
    log.tick(1e9)
    log.close()
    assert b"rtswap" in (folder / "m.prom").read_bytes()
    for out in ("out.mp4", "out.png"):
        source = "clip.mp4" if out == "out.mp4" else "frames/00000.png"
        assert main(["-q", "-s", "persona:vera", "-i", source, "-o", out]) == 0
    assert Path("face.png").read_bytes() == before


def test_a_temporary_name_that_is_taken_is_not_written_to(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should it be foreseen after all."""
    monkeypatch.setattr(secrets, "token_hex", lambda length: "foreseen")
    before = Path("face.png").read_bytes()
    (folder / ".out.png.foreseen.part").symlink_to("face.png")
    with pytest.raises(FileExistsError):
        write_atomic(folder / "out.png", b"hostile")
    assert Path("face.png").read_bytes() == before


def test_nothing_is_appended_to_a_file_of_another_kind(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A slip of the hand must not add lines to a video; what earlier runs wrote is continued."""
    command = ["-s", "persona:vera", "-i", "face.png", "-o", "null"]
    for flag in ("--metrics", "--log"):
        assert main([*command, flag, "frames/00000.png"]) == 1
        assert "a file of another kind" in capsys.readouterr().err
        assert Path("frames/00000.png").read_bytes() == Path("face.png").read_bytes()
    for _ in range(2):
        assert main([*command, "--metrics", "mine.txt", "--log", "log.txt"]) == 0
    assert main([*command, "--metrics", "mine.prom"]) == 0


def test_links_in_a_foreign_folder_lead_no_table_and_no_log_elsewhere(folder: Path) -> None:
    """Not even with -y: what is to be replaced is the link."""
    mine = folder / "mine.txt"
    for link in (True, False):
        for keep in (0, 2):
            mine.write_text("mine")
            (folder / TABLE).unlink(missing_ok=True)
            (folder / TABLE).symlink_to(mine) if link else os.link(mine, folder / TABLE)
            with TableWriter(folder, {}, keep) as table:
                table.append({})
            assert mine.read_text() == "mine"
            assert (folder / TABLE).read_bytes().startswith(b"mi{}" if keep else b'{"faceset"')
    for name in ("run.log", "run.jsonl", "run.prom"):
        (folder / name).symlink_to(folder / "made")
    with pytest.raises(OutputError, match="File exists"):
        LogFile(folder / "run.log", warn=pytest.fail)
    for name in ("run.jsonl", "run.prom"):
        with pytest.raises(OutputError, match="File exists"):
            MetricsLog(folder / name, Metrics(), warn=pytest.fail)
    assert not (folder / "made").exists()


@pytest.mark.parametrize("args", ["--out list.m3u8", "--streams 1 --out face.json"])
def test_measuring_replaces_no_file(folder: Path, args: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert main(["bench", "-q", "--seconds", "0.1", *args.split()]) == 1
    assert "already exists" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.skipif(os.name == "nt", reason="a user's folders are their own")
@pytest.mark.parametrize("name", ["openvino", "plans"])
def test_no_folder_of_the_users_is_emptied_for_a_cache(tmp_path: Path, name: str) -> None:
    """With RTSWAP_CACHE=~/models and Ubuntu's umask (002) all that was in ~/models/openvino was deleted."""
    (tmp_path / name / "mine").mkdir(parents=True)
    (tmp_path / name / "mine/weights.xml").write_text("precious")
    (tmp_path / name).chmod(0o775)
    if name == "openvino":
        network = foreign.file([foreign.node("Relu", "x", "y")], {"x": [1, 3]}, {"y": [1, 3]})
        OpenVinoEngine(network, cache_dir=tmp_path / name)
    else:
        PlanCache(tmp_path / name).put(PLAN, manifest(PLAN))
    assert (tmp_path / name / "mine/weights.xml").read_text() == "precious"
