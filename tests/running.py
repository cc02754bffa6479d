"""The command line in a process of its own, as a user meets it."""

from __future__ import annotations

import os
import subprocess
import sys


def mvps(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mvps", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | environment,
        check=False,
    )


def only_error(result: subprocess.CompletedProcess[str]) -> str:
    """The one error line; nothing else may look like a crash."""
    assert "Traceback" not in result.stderr
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    return line
