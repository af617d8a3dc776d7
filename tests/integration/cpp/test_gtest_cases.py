"""Every case of the C++ client's integration tests, against real servers.

A case whose suite begins with `Tls` meets servers that want certificates; every other one meets
servers whose wires it may break.
"""

from __future__ import annotations

import pytest

from tests.support.gtest_program import GtestProgram

pytestmark = pytest.mark.integration

PROGRAMS = {
    "asan": GtestProgram("asan", "tickmesh_integration_tests"),
    "tsan": GtestProgram("tsan", "tickmesh_integration_tests"),
}


CASES = [
    pytest.param(
        preset,
        case,
        marks=[pytest.mark.long] if preset == "tsan" else [],
        id=f"{preset}-{case}",
    )
    for preset, program in PROGRAMS.items()
    for case in program.cases()
]


@pytest.mark.parametrize(("preset", "case"), CASES)
def test_integration(preset: str, case: str, request: pytest.FixtureRequest) -> None:
    servers = "tls_servers" if case.startswith("Tls") else "servers"
    PROGRAMS[preset].run(case, request.getfixturevalue(servers))
