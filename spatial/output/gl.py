"""Can this machine draw in 3D without a screen? VTK crashes where no OpenGL library is installed."""

import os
import subprocess
import sys

from spatial.checks import InputError

_PACKAGES = "libegl1 libgl1 libgl1-mesa-dri"
_PROBE = """
import vtkmodules.vtkRenderingOpenGL2
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow
window = vtkRenderWindow()
window.SetOffScreenRendering(True)
window.SetSize(16, 16)
window.AddRenderer(vtkRenderer())
window.Render()
raise SystemExit(not window.SupportsOpenGL())
"""


def prefer_offscreen() -> None:
    """Make VTK draw through EGL where there is no display; to be called before vtk is imported."""
    if not os.environ.get("DISPLAY"):
        os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")


def check_rendering() -> None:
    """Draw an empty picture in a process of its own (0.5 s), so that a crash there harms nobody.

    Raises `InputError` naming the missing Debian packages if that fails.
    """
    prefer_offscreen()
    probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, timeout=120, check=False)
    if probe.returncode:
        raise InputError("3D pictures cannot be drawn: no working OpenGL library was found; on Debian or "
                         f"Ubuntu run `apt-get install {_PACKAGES}`, or do without 3D pictures")
