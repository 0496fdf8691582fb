"""Models are recognised by hash or by inputs and outputs, kept as they were given, and refused in one line."""

from __future__ import annotations

import dataclasses
import hashlib
import zipfile
from pathlib import Path
from typing import Any

import foreign_models as foreign
import numpy as np
import pytest
from foreign_models import put

from rtswap.core.errors import ModelError, UsageError
from rtswap.core.model_rows import forget_model_rows, model_rows
from rtswap.engines.build.profiles import profile_of
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.networks import model_kinds, model_store
from rtswap.networks.catalog import imported_models
from rtswap.networks.installed_models import list_installed, names_of, verify
from rtswap.networks.model_catalog import ModelCatalog, model_catalog
from rtswap.networks.model_store import add, remove
from rtswap.networks.registry import Registry
from rtswap.networks.system_file import read_system

pytestmark = pytest.mark.usefixtures("models")


FILES = {
    "inswapper_128.onnx": (foreign.swapper("inswapper"), "inswapper", "inswapper_128"),
    "whatever.onnx": (foreign.swapper("inswapper"), "inswapper", ""),
    "inswapper_128_fp16.onnx": (foreign.swapper("inswapper", half=True), "inswapper", "inswapper_128_fp16"),
    "simswap_256.onnx": (foreign.swapper("simswap"), "simswap", "simswap_256"),
    "my-simswap-512.onnx": (foreign.swapper("simswap", size=512), "simswap", ""),
    "Ghost_2_256.onnx": (foreign.swapper("ghost"), "ghost", "ghost_2_256"),
    "hififace_unofficial_256.onnx": (foreign.swapper("hififace"), "hififace", "hififace_unofficial_256"),
    "hyperswap_1c_256.onnx": (foreign.swapper("hyperswap"), "hyperswap", "hyperswap_1c_256"),
    "b.onnx": (foreign.swapper("blendswap"), "blendswap", ""),
    "u.onnx": (foreign.swapper("uniface"), "uniface", ""),
    "Me And You.dfm": (foreign.dfm(), "dfm", ""),
    "old.dfm": (foreign.dfm(morph=False), "dfm", ""),
    "crossface_ghost.onnx": (foreign.crossface(), "crossface", "crossface_ghost"),
    "w600k_r50.onnx": (foreign.arcface(), "arcface", "w600k_r50"),
    "arcface_w600k_r50.onnx": (foreign.arcface(name="input", output="output"), "arcface", "w600k_r50"),
    "det_10g.onnx": (foreign.scrfd(), "scrfd", "scrfd_10g"),
    "face_detection_yunet_2023mar.onnx": (foreign.yunet(), "yunet", "yunet_2023mar"),
    "r.onnx": (foreign.retinaface(), "retinaface", ""),
    "GFPGANv1.4.onnx": (foreign.enhancer(), "enhancer", "gfpgan_1.4"),
    "GPEN-BFR-256.onnx": (foreign.enhancer(256), "enhancer", "gpen_bfr_256"),
    "codeformer.onnx": (foreign.enhancer(weight=True), "codeformer", "codeformer"),
    "xseg_2.onnx": (foreign.xseg(), "xseg", "xseg_2"),
    "bisenet_resnet_34.onnx": (foreign.bisenet(), "bisenet", "bisenet_resnet_34"),
}


@pytest.mark.parametrize("name", FILES)
def test_every_kind_is_recognised_by_its_inputs_outputs_and_name(tmp_path: Path, name: str) -> None:
    content, family, known = FILES[name]
    told: list[str] = []
    (model,) = add(put(tmp_path, name, content), on_event=told.append)
    assert (model.family, model.known, model.pinned) == (family, known, "first use")
    assert (model.folder / f"{model.name}.onnx").read_bytes() == content
    assert model.sha256 == hashlib.sha256(content).hexdigest()
    assert "no published hash" in told[0]
    assert verify(model) == ""
    entry = imported_models()[model.name]
    zeros = entry.zeros()
    outputs = OnnxRuntimeEngine(Registry().path(model.name)).run(zeros)
    assert list(outputs) == list(entry.outputs)
    assert profile_of(model.name).batch[0] == 1


def test_a_published_hash_needs_no_telling_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = foreign.swapper("hififace")
    catalog = model_catalog()
    sha256 = hashlib.sha256(content).hexdigest()
    changed = dataclasses.replace(catalog.models["hififace_unofficial_256"], sha256=(sha256,))
    models = {**catalog.models, changed.name: changed}
    made = ModelCatalog(catalog.families, models, catalog.packs)
    monkeypatch.setattr(model_store, "model_catalog", lambda: made)
    (model,) = add(put(tmp_path, "download(3).onnx", content))
    assert (model.name, model.pinned) == ("hififace_unofficial_256", "published")


def test_an_ambiguous_model_needs_the_users_choice(tmp_path: Path) -> None:
    path = put(tmp_path, "$(x).onnx", foreign.swapper("ghost"))
    told = r"could be any of simswap, ghost, hififace; .* add '\$\(x\)\.onnx' --as simswap"
    with pytest.raises(ModelError, match=told) as caught:
        add(path)
    assert "\n" not in str(caught.value)
    (model,) = add(path, kind="ghost", name="my ghost")
    assert (model.name, model.family) == ("my_ghost", "ghost")
    with pytest.raises(ModelError, match=r"\.onnx does not fit inswapper"):
        add(path, kind="inswapper")
    with pytest.raises(ModelError, match="Did you mean hififace"):
        add(path, kind="hififac")
    (model,) = add(path, kind="ghost_3_256")
    assert (model.name, model.licence) == ("ghost_3_256", "Apache-2.0")


def test_the_latent_network_of_inswapper_is_made_of_its_last_initialiser(tmp_path: Path) -> None:
    for half, allowed in ((False, 1e-5), (True, 2e-3)):
        name = f"half_{half}".lower()
        add(put(tmp_path, "x.onnx", foreign.swapper("inswapper", half=half)), name=name)
        vector = np.random.default_rng(0).normal(size=(1, 512)).astype(np.float32)
        engine = OnnxRuntimeEngine(Registry().path(f"{name}-latent"))
        (latent,) = engine.run({"input": vector}).values()
        assert np.abs(latent - vector @ foreign.EMAP).max() < allowed * np.abs(latent).max()


def test_a_pack_gives_its_usable_models_from_a_folder_or_a_zip_file(tmp_path: Path) -> None:
    pack = tmp_path / "buffalo_l"
    pack.mkdir()
    foreign.write(pack, det_10g=foreign.scrfd(), w600k_r50=foreign.arcface())
    landmarks = foreign.file(
        [foreign.node("Flatten", "data", "fc1")], {"data": ["n", 3, 192, 192]}, {"fc1": ["n", 3 * 192 * 192]}
    )
    foreign.write(pack, **{"2d106det": landmarks})
    (pack / "readme.txt").write_text("nothing")
    zipped = tmp_path / "buffalo_l.zip"
    with zipfile.ZipFile(zipped, "w") as file:
        for path in sorted(pack.iterdir()):
            file.write(path, f"../../evil/{path.name}")
    for path in (pack, zipped):
        told: list[str] = []
        assert [model.name for model in add(path, on_event=told.append)] == ["scrfd_10g", "w600k_r50"]
        assert any(line.startswith("left out: 2d106det.onnx is not a model") for line in told)
        assert names_of("detector") == ("scrfd_10g",)
        for name in ("scrfd_10g", "w600k_r50"):
            remove(name)
    assert not (tmp_path / "evil").exists()
    assert list_installed() == []
    with pytest.raises(ModelError, match="no model in"):
        add(tmp_path / "models")


def test_a_pack_of_thousands_of_files_fills_neither_the_terminal_nor_the_disk(tmp_path: Path) -> None:
    """Each was a line, or was added; published packs have five."""
    told: list[str] = []
    folder = tmp_path / "pack"
    folder.mkdir()
    with zipfile.ZipFile(tmp_path / "pack.zip", "w") as file:
        for number in range(101):
            file.writestr(f"{number}.onnx", foreign.arcface())
            (folder / f"{number}.onnx").write_bytes(foreign.arcface())
    for path in (folder, tmp_path / "pack.zip"):
        with pytest.raises(ModelError, match="is refused; expected at most 100 models; got 101"):
            add(path, on_event=told.append)
    assert told == []
    assert list_installed() == []


def test_a_pack_that_grows_is_refused(tmp_path: Path) -> None:
    zipped = tmp_path / "pack.zip"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("net.onnx", b"\x08" + bytes(1 << 20))
    with pytest.raises(ModelError, match=r"net\.onnx, a file that grows 1014 times"):
        add(zipped)


def test_a_pack_that_says_it_is_larger_than_it_is_is_refused(tmp_path: Path) -> None:
    """It may then grow by any factor."""
    zipped = tmp_path / "pack.zip"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("net.onnx", b"\x08" + bytes(1 << 20))
        size = file.getinfo("net.onnx").compress_size
    zipped.write_bytes(zipped.read_bytes().replace(size.to_bytes(4, "little"), (1 << 16).to_bytes(4, "little")))
    with pytest.raises(ModelError, match="got files that have more bytes than it"):
        add(zipped)


def damaged_zip(path: Path, method: int) -> Path:
    """A zip file whose list is whole and whose content is not."""
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("net.onnx", bytes(range(256)))
    data = bytearray(path.read_bytes())
    begin = 30 + len("net.onnx")
    data[begin + 2 : begin + 60] = bytes([7]) * 58
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_pack_is_one_line(tmp_path: Path, method: int) -> None:
    for read in (add, lambda path: read_system(path, tmp_path)):
        with pytest.raises(ModelError, match=r"\A[^\n]*\Z"):
            read(damaged_zip(tmp_path / "pack.zip", method))


def test_a_model_is_added_once_and_under_a_name_of_its_own(tmp_path: Path) -> None:
    path = put(tmp_path, "inswapper_128.onnx", foreign.swapper("inswapper"))
    add(path)
    with pytest.raises(ModelError, match=r"a model inswapper_128 is already installed"):
        add(path)
    for name in ("mesh", "landmarks"):
        with pytest.raises(ModelError, match="is reserved by rtswap"):
            add(path, name=name)
    remove("inswapper_128")
    with pytest.raises(ModelError, match=r"no imported model 'inswapper_128'\. None is installed\."):
        remove("inswapper_128")


def test_what_was_checked_is_what_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others may be able to write into the folder of a download."""
    path = put(tmp_path, "inswapper_128.onnx", foreign.swapper("inswapper"))
    good = path.read_bytes()
    known = model_kinds.recognise

    def exchanging(*given: Any) -> Any:
        path.write_bytes(b"\x08\x08 another file")
        return known(*given)

    monkeypatch.setattr(model_store, "recognise", exchanging)
    (added,) = add(path)
    assert (added.folder / f"{added.name}.onnx").read_bytes() == good
    assert added.sha256 == hashlib.sha256(good).hexdigest()


def test_damage_is_reported_and_affects_no_other_model(tmp_path: Path, models: Path) -> None:
    (one,) = add(put(tmp_path, "inswapper_128.onnx", foreign.swapper("inswapper")))
    (two,) = add(put(tmp_path, "xseg_1.onnx", foreign.xseg()))
    stored = one.folder / "inswapper_128.onnx"
    stored.write_bytes(stored.read_bytes()[:-1] + b"\0")
    (two.folder / "networks.toml").write_text("no toml at all")
    forget_model_rows()
    assert verify(one) == "inswapper_128.onnx has changed since it was added"
    damaged = next(model for model in list_installed() if model.name == "xseg_1")
    assert "cannot read the networks" in verify(damaged)
    assert set(model_rows()) == {"inswapper_128", "inswapper_128-latent"}
    with pytest.raises(ModelError, match=r"missing or damaged; got a file with another hash\. Add it again"):
        Registry().path("inswapper_128")
    assert Registry().path("landmarks").is_file()
    remove("xseg_1")
    assert [model.name for model in list_installed()] == ["inswapper_128"]
    assert not list(models.glob(".adding*"))


def test_adding_a_dfm_asks_for_consent(tmp_path: Path) -> None:
    def refuse(path: Path) -> None:
        raise UsageError("consent is not confirmed")

    with pytest.raises(UsageError):
        add(put(tmp_path, "me.dfm", foreign.dfm()), confirm=refuse)
    add(put(tmp_path, "xseg_1.onnx", foreign.xseg()), confirm=refuse)
    assert [model.name for model in list_installed()] == ["xseg_1"]


def test_every_row_of_the_catalogue_is_sound() -> None:
    catalog = model_catalog()
    for known in catalog.models.values():
        family = catalog.families[known.family]
        assert known.urls or known.pack in catalog.packs, known.name
        assert all(url.startswith("https://") for url in known.urls)
        assert all(len(sha256) == 64 and set(sha256) <= set("0123456789abcdef") for sha256 in known.sha256)
        assert known.terms.startswith("https://")
        assert bool(known.space) == (family.kind == "embedder")
        assert model_kinds.plain(known.name) == known.name
        assert all(model_kinds.plain(name) for name in known.names)
    hashes = [sha256 for known in catalog.models.values() for sha256 in known.sha256]
    assert len(hashes) == len(set(hashes))
    for family in catalog.families.values():
        assert not family.converter or family.converter in catalog.models
