"""Raw files of ARC for the tests of what is built from them."""

import pytest

from trm_lite.data.arc_tasks import Subsets


@pytest.fixture
def raw(tmp_path, write_kaggle):
    """Kaggle's files of six tasks, three to learn from and three for evaluation."""
    for subset in Subsets._fields:
        write_kaggle(tmp_path / "kaggle", subset)
    return tmp_path / "kaggle"
