"""Releases for containers: what is known before anything is built."""

import pytest

from lab.image import recipe
from lab.image.build import Image
from lab.image.commands import ImageError
from lab.image.releases import DEBIAN_13
from lab.image.releases.build import PORT, Built


def _image(folder) -> Image:
    return Image(folder, folder, folder, folder, folder, folder / "id_ed25519", {}, "0123456789abcdef")


def test_a_release_has_what_the_image_has_but_no_kernel() -> None:
    assert set(recipe.INSTALLED) - set(DEBIAN_13.installed) == {"linux-image-amd64"}
    assert set(DEBIAN_13.offered) >= set(recipe.OFFERED)


def test_its_packages_are_served_beside_those_of_the_image(tmp_path) -> None:
    argv = Built(tmp_path / "tree", tmp_path / "packages").serve("192.0.2.1")
    assert argv[1:4] == ("-m", "http.server", str(PORT))
    assert str(tmp_path / "packages") in argv


def test_only_root_builds_it_and_is_told_so(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQUID_HA_CACHE", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ImageError, match="needs root"):
        DEBIAN_13.ensure(_image(tmp_path), print)


def test_what_is_there_is_not_built_again(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQUID_HA_CACHE", str(tmp_path))
    place = tmp_path / "release" / DEBIAN_13._key(_image(tmp_path))
    place.mkdir(parents=True)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert DEBIAN_13.ensure(_image(tmp_path), print) == Built(place / "tree", place / "packages")
