"""The command line in a process of its own, as a user meets it."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from multiprocessing.process import BaseProcess


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


def started(*words: object) -> BaseProcess:
    """The command line in a process of its own whose modules are loaded already; says nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["running", "mvps.cli.normals_run", "mvps.cli.normals"])
    process = context.Process(target=_silent_main, args=tuple(map(str, words)))
    process.start()
    return process


def _silent_main(*words: str) -> None:
    from mvps.cli import main

    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    sys.argv = ["mvps", *words]
    main()
