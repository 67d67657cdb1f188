"""A machine that cannot draw in 3D is told what to install; nothing crashes."""

import os

import pytest

from spatial.checks import InputError
from spatial.output.gl import check_rendering, prefer_offscreen


def test_a_machine_without_opengl_is_told_which_packages_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", "")
    monkeypatch.setenv("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", os.devnull)  # hides every driver: VTK segfaults
    with pytest.raises(InputError, match=r"no working OpenGL library.*`apt-get install libegl1 libgl1"):
        check_rendering()


def test_egl_is_used_only_without_a_display_and_the_users_choice_is_kept(
        monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = "VTK_DEFAULT_OPENGL_WINDOW"
    monkeypatch.delenv(chosen, raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    prefer_offscreen()
    assert chosen not in os.environ
    monkeypatch.delenv("DISPLAY")
    prefer_offscreen()
    assert os.environ[chosen] == "vtkEGLRenderWindow"
    monkeypatch.setenv(chosen, "vtkOSOpenGLRenderWindow")
    prefer_offscreen()
    assert os.environ[chosen] == "vtkOSOpenGLRenderWindow"
