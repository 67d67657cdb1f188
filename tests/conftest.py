"""What several test files share."""

import pytest

from spatial.checks import InputError
from spatial.output.gl import check_rendering


@pytest.fixture(scope="session")
def gl() -> None:
    """Skips where no off-screen picture can be drawn, and says what is missing."""
    try:
        check_rendering()
    except InputError as error:
        pytest.skip(str(error))
