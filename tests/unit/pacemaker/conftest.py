import pytest

from tests.unit.pacemaker import tools as offline


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> offline.Tools:
    return offline.found(tmp_path_factory.mktemp("shadow"))
