"""Schemathesis asks what the OpenAPI document allows, and what it does not, and finds every answer as it says.

All of its checks run: no fault of ours, documented statuses, types, headers and shapes, no nonsense accepted, no sense
refused, and nobody let in without a name. The seed is fixed, so that a failure comes again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from aftersend.api.document import FILE
from aftersend.api.openapi import list_problems, operation_id
from aftersend.api.routes import load_all
from tests.support.api_world import world
from tests.support.template import ROOT
from tests.support.wsgi import TOKEN, serving

SEED: Final = 20260331
EXAMPLES: Final = 12  # of each operation, beside those that cover the document systematically
SECONDS: Final = 240


# What no schema can say: days in the wrong order, an end that lies behind, a list that nobody knows, a file of nothing.
# What names a recipient or an identifier of the policy, or is a document of rules, is asked of the routes.
NAMING: Final = {"not-one-recipient", "identifier-not-indexed", "invalid-rules"}
WRONG: Final = {
    *("listSuppressions", "suppressRecipient", "importSuppressions", "prepareImport", "exportSuppressions"),
    *("exportPage", "revertWindow", "listOutcomes", "listProblems", "classify", "getStatistics"),
}


def config() -> str:
    """What is refused although it has the right form, and what is taken whatever it is: any text may be a list."""
    lines = ['suppress-health-check = ["too_slow"]']  # it says how busy this machine is
    lines += ["[checks.positive_data_acceptance]", 'expected-statuses = ["2xx", 404, 409]']
    for each in load_all().routes:
        more = [400] if "invalid-cursor" in list_problems(each) else []
        more += [412] if each.conditional else []
        more += [422] if operation_id(each) in WRONG or NAMING & {*list_problems(each)} else []
        lines += ["[[operations]]", f'include-operation-id = "{operation_id(each)}"']
        lines += [f"checks.positive_data_acceptance.expected-statuses = {['2xx', 404, 409, *more]}".replace("'", '"')]
        lines += ["checks.negative_data_rejection.enabled = false"] if each.body is bytes else []
        # What is no method of such a path may be one of whoever is called so: see `routing`.
        lines += ["checks.unsupported_method.enabled = false"] if each.path.count("{") > 1 else []
    return "\n".join(lines)


def test_no_answer_is_other_than_documented(tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(config())
    with serving(world().context) as url:
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(tmp_path / "schemathesis.toml")]
        command += ["run", str(FILE), "--url", url, "--header", f"Authorization: {TOKEN}", "--no-color"]
        command += ["--seed", str(SEED), "--max-examples", str(EXAMPLES)]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=_environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert done.returncode == 0, f"{done.stdout[-20_000:]}\n{done.stderr[-5_000:]}"
    assert f"Tested: {len(load_all().routes)}" in done.stdout


def _environment(home: Path) -> dict[str, str]:
    """No settings of the user's, and no warnings as errors in somebody else's program."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("SCHEMATHESIS", "PYTHONWARNINGS"))
    }
    path = os.pathsep.join((str(ROOT / "layers" / "aftersend"), str(ROOT)))
    return inherited | {"HOME": str(home), "PYTHONPATH": path, "NO_PROXY": "127.0.0.1"}
