"""Parts and networks of another package, installed with pip and used by name."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from media_files import make_clip
from paths import ASSETS, ROOT
from prepared_sources import ready  # noqa: F401

from rtswap.vision.images import read_image

PICTURE = ASSETS / "personas/ben.jpg"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of installed packages with docs/examples in it."""
    source = tmp_path_factory.mktemp("source") / "examples"
    shutil.copytree(ROOT / "docs/examples", source)
    found = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--target", str(found), str(source)], check=True, timeout=100)
    return found


def rtswap(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(site), str(ROOT)]))
    command = [sys.executable, "-m", "rtswap", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100, check=False)


def test_a_swapper_and_a_finish_of_another_package_run(site: Path, tmp_path: Path) -> None:
    words = ("-s", "persona:ada", "-i", str(PICTURE), "-o", str(tmp_path / "out.png"), "--json")
    done = rtswap(site, *words, "--swapper", "paper-mask", "--finish", "old-film")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames_with_swap"] == 1


def test_a_swapper_runs_a_network_of_its_own_package(site: Path, tmp_path: Path) -> None:
    words = ("-s", "persona:ada", "-i", str(PICTURE))
    swapped = {}
    for name in ("paper-mask", "old-photo"):
        done = rtswap(site, *words, "-o", str(tmp_path / f"{name}.png"), "--swapper", name)
        assert done.returncode == 0, done.stderr
        swapped[name] = read_image(tmp_path / f"{name}.png").astype(int)
    changed = abs(swapped["paper-mask"] - swapped["old-photo"]).max(axis=2) > 10
    assert changed.mean() > 0.05


def test_the_networks_of_a_package_are_listed(site: Path) -> None:
    assert "example-sepia" in rtswap(site, "doctor", "--json").stdout


def test_a_network_that_exists_already_is_one_line(site: Path, tmp_path: Path) -> None:
    broken = tmp_path / "site"
    shutil.copytree(site, broken)
    table = broken / "rtswap_example/networks.toml"
    table.write_text(table.read_text().replace("example-sepia", "landmarks"))
    done = rtswap(broken, "-s", "persona:ada", "-i", str(PICTURE), "-o", "null")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "rtswap_example" in done.stderr


def test_an_input_and_an_output_of_another_package_run(site: Path, tmp_path: Path) -> None:
    done = rtswap(site, "-s", "persona:ada", "-i", f"drift:{PICTURE}", "-o", f"stills:{tmp_path}", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames"] > 3
    assert (tmp_path / "000000.png").exists()
    make_clip(tmp_path / "clip.mp4", 2)
    done = rtswap(site, "-s", "persona:ada", "-i", f"{tmp_path}/*", "-o", f"stills:{tmp_path}/new")
    assert "expected one folder" in done.stderr


def test_help_lists_installed_plugins(site: Path) -> None:
    told = rtswap(site, "--help").stdout
    for line in ("--swapper +old-photo, paper-mask", "--finish +old-film", "--input +drift", "--output +stills"):
        assert re.search(line, told), told


def test_doctor_lists_installed_plugins_and_those_that_cannot_be_loaded(site: Path, tmp_path: Path) -> None:
    parts = "swapper old-photo, swapper paper-mask, finish old-film, input drift, output stills"
    assert parts in rtswap(site, "doctor", "--json").stdout
    broken = tmp_path / "site"
    shutil.copytree(site, broken)
    (broken / "rtswap_example/stills.py").write_text("import a_module_that_is_not_there")
    told = {(row["state"], row["found"]) for row in json.loads(rtswap(broken, "doctor", "--json").stdout)["checks"]}
    assert ("ok", parts.removesuffix(", output stills")) in told
    assert any(state == "note" and "a_module_that_is_not_there" in found for state, found in told)


def test_mistyped_names_of_plugins_are_suggested_and_completed(site: Path) -> None:
    for flag, name, typed in (("--swapper", "paper-mask", "paper-mush"), ("--finish", "old-film", "old-flim")):
        done = rtswap(site, "-s", "persona:ada", "-i", str(PICTURE), "-o", "null", flag, typed)
        assert done.returncode == 2
        assert f"did you mean {name}?" in done.stderr
        assert name in rtswap(site, "completion", "bash").stdout


def test_without_the_package_its_names_are_unknown(tmp_path: Path) -> None:
    for flag, name in (("--swapper", "paper-mask"), ("--finish", "old-film")):
        done = rtswap(tmp_path, "-s", "persona:ada", "-i", str(PICTURE), "-o", "null", flag, name)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert name in done.stderr


def test_a_part_that_does_not_load_is_one_line(site: Path, tmp_path: Path) -> None:
    broken = tmp_path / "site"
    shutil.copytree(site, broken)
    (broken / "rtswap_example/paper_mask.py").write_text("import a_module_that_is_not_there")
    done = rtswap(broken, "-s", "persona:ada", "-i", str(PICTURE), "-o", "null", "--swapper", "paper-mask")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "rtswap-example" in done.stderr
    assert "a_module_that_is_not_there" in done.stderr
