"""Every shape in a signature is checked while the tests run."""

import os
from pathlib import Path

# Two cores: more threads than that, or threads that spin while they wait, make everything slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from jaxtyping import install_import_hook

install_import_hook("cinecortex", "beartype.beartype")

import pytest  # noqa: E402

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def retina_file() -> Path:
    """The real retina recording; it is not part of the repository."""
    path = SHARED_DATA / "retina_white_noise.npz"
    if not path.exists():
        pytest.skip("the real recording retina_white_noise.npz is not beside this checkout (../shared/data)")
    return path
