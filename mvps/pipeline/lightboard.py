"""Answers on lights that worker processes share: who is at one, and what it was.

Anonymous memory that the workers of one run inherit; nothing from outside is ever unpickled.
"""

from __future__ import annotations

import mmap
import pickle
import struct
import time
from typing import Any

_HEAD = struct.Struct("<iI")  # state, bytes of the answer
_ROOM = 1 << 14  # bytes of a set of lights; a report takes one or two thousand
_FREE, _ANSWERED = 0, -1  # and any number above 0: that of the worker that is at it
LOOK_EVERY = 0.002  # seconds


class LightBoard:
    """One field a set of lights, free at first.

    Parameters
    ----------
    sets : number of sets of lights
    """

    def __init__(self, sets: int) -> None:
        self._sets = sets
        self._memory = mmap.mmap(-1, max(1, sets) * _ROOM)

    def claim(self, index: int, worker: int) -> None:
        """Say that a worker, whose number is above 0, is going to answer."""
        self._write(index, worker)

    def release(self, index: int) -> None:
        """Give a claim back without an answer."""
        self._write(index, _FREE)

    def forget(self, worker: int) -> None:
        """Give back whatever a worker has claimed, for it has ended."""
        for index in range(self._sets):
            if self._head(index)[0] == worker:
                self.release(index)

    def publish(self, index: int, answer: Any) -> None:
        """Answer for all; one that is too long stays with its worker."""
        data = pickle.dumps(answer)
        if len(data) > _ROOM - _HEAD.size:
            self.release(index)
            return
        start = index * _ROOM + _HEAD.size
        self._memory[start : start + len(data)] = data
        self._write(index, _ANSWERED, len(data))

    def wait(self, index: int, worker: int) -> tuple[bool, Any]:
        """Wait while another worker is at it: True and its answer, or False, and it is claimed."""
        while (head := self._head(index))[0] not in (_FREE, _ANSWERED, worker):
            time.sleep(LOOK_EVERY)
        if head[0] == _ANSWERED:
            start = index * _ROOM + _HEAD.size
            return True, pickle.loads(self._memory[start : start + head[1]])
        self.claim(index, worker)
        return False, None

    def _head(self, index: int) -> tuple[int, int]:
        state, size = _HEAD.unpack_from(self._memory, index * _ROOM)
        return state, size

    def _write(self, index: int, state: int, size: int = 0) -> None:
        _HEAD.pack_into(self._memory, index * _ROOM, state, size)
