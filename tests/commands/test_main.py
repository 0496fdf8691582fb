"""The command line: one line per mistake, exit codes, Ctrl-C, closed pipes."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fake_run import FOUND
from paths import ROOT

from rtswap.app.config import OPTIONS, Config
from rtswap.app.console import Console
from rtswap.commands.main import main
from rtswap.core.errors import InputError


@pytest.fixture(autouse=True)
def keep_process_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``main`` sets the process up for itself; undo that here."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.chdir(tmp_path)


def rtswap(*args: str, code: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
    """In a process of its own; ``code`` runs first and may put something in the place of the loop."""
    program = f"import sys\n{code}\nfrom rtswap.commands.main import main\nsys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, *args]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=os.environ | {"PYTHONPATH": str(ROOT)}, **options
    )


def fake_loop(body: str) -> str:
    """Source text that puts a stand-in for the loop in its place."""
    return textwrap.dedent(
        """
        import types, signal, time
        assemble = types.ModuleType("rtswap.app.run")
        def run(config, *, console, began_at=None):
        {}
        assemble.run = run
        sys.modules["rtswap.app.run"] = assemble
        """
    ).format(textwrap.indent(textwrap.dedent(body), "    "))


def last_words(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("rtswap: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize("words", [["", "out.mp4"], ["in.mp4", ""], ["in.mp4", " ", "out/"], [""]])
def test_an_empty_variable_of_a_script_is_named(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The word after it must not be taken for the input."""
    assert main([*words, "-s", "persona:vera"]) == 2
    assert last_words(capsys) == "rtswap: an empty file name. Check the variables of your script.\n"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ("", "no source given.*rtswap --source me.jpg"),
        ("--sorce me.jpg", r"unknown flag '--sorce'\. Did you mean --source\?"),
        ("-s me.jpg --on-failure=blurr", r"--on-failure: expected one of .*, got 'blurr'; did you mean blur\?"),
        ("--budget 40", "--budget: expected a duration such as 40ms or 2s.*got '40'"),
        ("--size big", "--size: expected a size such as 1280x720, got 'big'"),
        ("--cam front", "--cam: expected a whole number"),
        ("--cam 0 --input clip.mp4", "--input.*not allowed with.*--cam"),
        ("--source", r"--source/-s: expected a file or a folder, got nothing\. See rtswap --help\."),
        ("--faces --json", r"--faces: expected one or all, got nothing\. See"),
        ("--crf -s me.jpg", "--crf: expected a whole number from 0 to 63, got nothing"),
        ("--bitrate -4M -s me.jpg", "--bitrate: expected a bit rate such as 4M or 800k, got '-4M'"),
        ("-s me.jpg -o -out.mp4", r"--output/-o: .*, got '-out.mp4'\. For a file of that name write \./-out.mp4"),
        ("extract a.jpg --out", r"--out/-o: expected DIR, got nothing\. See rtswap extract --help\."),
        ("--no-audio=yes", r"--no-audio takes no value; got 'yes'\. See rtswap --help\."),
        ("--badge dark,light", "--badge: expected a style .* or both: light,tr, got 'dark,light'"),
        ("--badge tl,bottom", "or both: light,tr, got 'bottom'"),
        ("--thresholds a,b,c", "--thresholds: expected 3 numbers from 0 to 1 such as 0.6,0.7,0.8, got 'a'"),
        ("--sour me.jpg", r"Did you mean --source\?"),
        ("doctr", r"no such command or file: 'doctr'\. Did you mean doctor\?"),
        ("frobnicate", r"no such command or file: 'frobnicate'\. See rtswap --help"),
        ("clip.mp4", "no source given.*rtswap --source me.jpg"),
        ("clip.mp4 out.mp4 -i other.mp4 -s me.jpg", "two inputs given; got clip.mp4 and other.mp4"),
        ("-s me.jpg --crf 20 --bitrate 4M", "--crf and --bitrate exclude each other"),
        ("-i clip.mp4 -i other.mp4 -o out.mp4 -s me.jpg", "two inputs given; got clip.mp4 and other.mp4"),
        ("--cam 1 --cam 2 -s me.jpg", "two inputs given; got 1 and 2"),
        ("-s me.jpg --start 10 --end 5", "--start must be before --end"),
        ("-s me.jpg --start 10 --duration 0", "--duration must be more than 0"),
        ("--crf best", "--crf: expected a whole number from 0 to 63, got 'best'"),
        ("--bitrate 4X", "--bitrate: expected a bit rate such as 4M or 800k, got '4X'"),
        ("--start soon", "--start: expected a time such as 1:23, 83.5 or 90s, got 'soon'"),
        (
            "--keep mouht",
            r"--keep: expected a comma-separated list of eyes, mouth, got 'mouht'; did you mean mouth\?",
        ),
        ("--gui", "unknown flag '--gui'. `rtswap studio --open`"),
        ("--many-faces", "unknown flag '--many-faces'. Use --faces all"),
        ("-f mp4 -i a.mkv b.mp4", "unknown flag '-f'. The suffix of the output says its format"),
        ("-ss 3", "unknown flag '-ss'. Use --start TIME"),
        ("--execution-provider cuda", "Use --engine"),
        ("--frobnicate", r"unknown flag '--frobnicate'\. See rtswap --help"),
        ("--debug=1", "--debug"),
        ("--quiet config", r"The command comes first: rtswap config"),
        (
            "inspect a.mp4 --end 1",
            "unknown flag '--end'. It is a flag of `rtswap`, not of `rtswap inspect`. See rtswap ins",
        ),
        ("cameras --josn", r"unknown flag '--josn'\. Did you mean --json\?"),
        ("bench --seconds never", "--seconds: expected a number from 0.1 to 3600"),
        ("train df --minutes long", "--minutes: expected a number from 0 to 1000000, got 'long'"),
        ("inspect", "no clip given.*rtswap inspect clip.mp4"),
        ("inspect a.mp4 b.mp4", "unknown argument .b.mp4."),
        ("config --config absent.toml", "cannot read absent.toml"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(args: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args.split()) == 2
    assert re.search(says, last_words(capsys))


def test_help_shows_every_flag_in_groups_with_examples() -> None:
    shown = rtswap("--help")
    assert shown.returncode == 0
    assert shown.stderr == ""
    for row in OPTIONS:
        assert all(flag in shown.stdout for flag in row.flags)
    assert "Source:" in shown.stdout
    assert "examples:" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 110


@pytest.mark.parametrize("command", ["cameras", "doctor", "config", "bench", "inspect"])
def test_every_command_has_its_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"rtswap {command}" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    declared = importlib.metadata.version("rtswap")
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"rtswap {declared}\n"


def test_help_is_fast() -> None:
    def processor_s() -> float:
        before = os.times()
        rtswap("--help")
        after = os.times()
        return (after.children_user - before.children_user) + (after.children_system - before.children_system)

    assert min(processor_s() for _ in range(3)) < 0.4  # 0.1 s on an idle machine


def test_config_prints_the_effective_values_and_their_origins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rtswap.toml").write_text('[safety]\non_failure = "hold"\n')
    assert main(["config", "--config", "rtswap.toml", "--budget", "25ms", "-s", "a.jpg", "-s", "b.jpg"]) == 0
    out = capsys.readouterr().out
    found = tomllib.loads(out)
    assert found["source"]["photos"] == ["a.jpg", "b.jpg"]
    assert re.search(r'target = "25ms" +# --budget', out)
    assert re.search(r'on_failure = "hold" +# rtswap\.toml', out)
    assert re.search(r'engine = "auto" +# default', out)


def test_config_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--json", "--cam", "2"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["config"]["input"]["address"] == "2"
    assert found["origins"]["input.address"] != "default"


def test_flags_reach_the_loop(loop: list[Config], capsys: pytest.CaptureFixture[str]) -> None:
    flags = "-s me.jpg -i clip.mp4 -o null -o out.mp4 -y --faces all --empty-after 1min --no-badge --pass-through"
    assert main(flags.split()) == 0
    config = loop[0]
    assert config.source.photos == ("me.jpg",)
    assert config.output.to == ("null", "out.mp4")
    assert config.output.overwrite
    assert (config.tracking.faces, config.safety.empty_after_s) == ("all", 60)
    assert config.badge.hide
    assert config.safety.pass_through
    out, err = capsys.readouterr()
    assert out == ""
    assert "camera 0: 1280x720" in err
    assert re.search(r"swapped in all 3 frames", err)


def test_json_summary_is_the_only_thing_on_stdout(loop: list[Config], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-s", "me.jpg", "--json", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {**FOUND, "bad": None}
    assert err == ""


def test_an_error_while_running_is_one_line_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(config: Config, *, console: Console, began_at: float | None = None) -> dict[str, Any]:
        raise InputError("camera 0 is busy", do="Close the program that uses it.")

    module = ModuleType("rtswap.app.run")
    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rtswap.app.run", module)
    assert main(["-s", "me.jpg"]) == 1
    assert last_words(capsys) == "rtswap: camera 0 is busy. Close the program that uses it.\n"
    assert main(["-s", "me.jpg", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_defect_is_one_line_and_a_traceback_on_request() -> None:
    broken = fake_loop("raise TypeError('two\\nlines')")
    found = rtswap("-s", "me.jpg", code=broken)
    assert found.returncode == 1
    assert found.stderr.startswith("rtswap: internal error: TypeError: two.")
    assert found.stderr.count("\n") == 1
    assert "Traceback" in rtswap("-s", "me.jpg", "--debug", code=broken).stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM handlers")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("tidy", "code"), [(True, 0), (False, 130)])
def test_signals_end_a_run_cleanly(number: signal.Signals, tidy: bool, code: int, tmp_path: Path) -> None:
    """The loop turns the interrupt into a normal end; where it did not get so far, exit code 130 and no traceback."""
    body = """
    try:
        print('running', flush=True)
        time.sleep(30)
    except KeyboardInterrupt:
        {}
    return {{'frames': 0}}
    """.format("console.event('closing files')" if tidy else "raise")
    program = (
        f"import sys\n{fake_loop(body)}\nfrom rtswap.commands.main import main\nsys.exit(main(['-s', 'me.jpg']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert "Traceback" not in err
    assert ("closing files" in err) == tidy


@pytest.mark.skipif(os.name == "nt", reason="pipes break otherwise on Windows")
def test_a_closed_pipe_is_not_an_error() -> None:
    program = "import sys, time\ntime.sleep(0.5)\nfrom rtswap.commands.main import main\nsys.exit(main(['config']))"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
        process.wait(20)
    assert err == ""
    assert process.returncode == 141


@pytest.mark.skipif(os.name == "nt", reason="file descriptors are not inherited so on Windows")
@pytest.mark.parametrize("closed", [1, 2])
def test_closed_standard_streams_are_not_an_error(closed: int) -> None:
    code = fake_loop("console.event('x'); console.status('y'); return {'frames': 0}")
    found = rtswap("-s", "me.jpg", code=code, preexec_fn=lambda: os.close(closed))
    assert found.returncode == 0


def test_time_is_not_wasted_waiting(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake is told before anything slow is imported."""
    began = time.perf_counter()
    assert main(["--nonsense"]) == 2
    assert time.perf_counter() - began < 5
    capsys.readouterr()


def test_a_working_folder_that_was_deleted_is_told(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    for start in (["-m", "rtswap"], ["-P", "-c", "from rtswap.commands.main import run_process; run_process()"]):
        done = subprocess.run(
            ["sh", "-c", 'rmdir ../gone 2>/dev/null; exec "$@"', "sh", sys.executable, *start, "config"],
            cwd=gone, capture_output=True, text=True, timeout=60, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr == "rtswap: the working folder no longer exists. Change to another one: cd ~\n"
        gone.mkdir(exist_ok=True)


def test_ctrl_c_while_the_program_is_being_read_shows_no_traceback() -> None:
    code = textwrap.dedent("""
        import signal, sys
        from rtswap.__main__ import run
        class Interrupted:
            def find_spec(self, name, *rest):
                if name == "rtswap.commands.bench":
                    signal.raise_signal(signal.SIGINT)
        sys.meta_path.insert(0, Interrupted())
        run()
    """)
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60,
                          env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
    assert (done.returncode, done.stderr) == (130, "")


MEMORY = "gives no more memory or threads. Close other programs."
FILES = "opens no more files. Raise the limit: ulimit -n 1024"
GIVEN = (MemoryError(), MEMORY), (BlockingIOError(), MEMORY), (RuntimeError("can't start new thread"), MEMORY)


@pytest.mark.parametrize(("error", "told"), [*GIVEN, (OSError(24, "", "a.py"), FILES)])
def test_too_little_memory_is_no_internal_error(
    error: Exception, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("rtswap.app.config_file.effective", fail)
    assert main(["config"]) == 1
    assert last_words(capsys) == f"rtswap: the system {told}\n"


@pytest.mark.parametrize(("word", "do"), [("benhc", "Did you mean bench?"), ("xyzzy", "`rtswap help` lists them.")])
def test_help_for_a_command_that_is_not_there(word: str, do: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", word]) == 2
    assert capsys.readouterr().err.strip() == f"rtswap: no such command: '{word}'. {do}"
