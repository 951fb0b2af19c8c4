"""Where real data lies."""

import os
import pathlib

import pytest


@pytest.fixture(scope="session")
def real_data() -> pathlib.Path:
    """The folder of real files, or a skip with the reason."""
    folder = os.environ.get("BABYSIT_DATA")
    if not folder:
        pytest.skip("BABYSIT_DATA names no folder of real data")
    return pathlib.Path(folder)
