"""The array operations that shading needs, over Dr.Jit (compiled) or NumPy (without LLVM).

Scalars of n rays have shape (n,), vectors (3, n); both libraries then agree on +, -, *, / and on
comparisons, and what is left is listed here. Random numbers are hashes of counters (PCG: Jarzynski
and Olano, JCGT 2020), the same on both.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

Value = Any  # an array of either library
TO_UNIT = 2.0**-24  # of the upper 24 bits of a hash, so that float32 holds it exactly


class Ops(Protocol):
    """What both libraries offer under one name."""

    def table(self, array: Any) -> Value: ...
    def integers(self, array: Any) -> Value: ...
    def index(self, value: int) -> Value: ...
    def number(self, value: float) -> Value: ...
    def count(self, n: int) -> Value: ...
    def gather(self, table: Value, index: Value) -> Value: ...
    def gather3(self, table: Value, index: Value) -> Value: ...
    def vector(self, x: Value, y: Value, z: Value) -> Value: ...
    def select(self, mask: Value, yes: Value, no: Value) -> Value: ...
    def dot(self, a: Value, b: Value) -> Value: ...
    def cross(self, a: Value, b: Value) -> Value: ...
    def sqrt(self, x: Value) -> Value: ...
    def floor(self, x: Value) -> Value: ...
    def exp(self, x: Value) -> Value: ...
    def log(self, x: Value) -> Value: ...
    def sin(self, x: Value) -> Value: ...
    def cos(self, x: Value) -> Value: ...
    def maximum(self, a: Value, b: Value) -> Value: ...
    def minimum(self, a: Value, b: Value) -> Value: ...
    def absolute(self, a: Value) -> Value: ...
    def as_index(self, x: Value) -> Value: ...
    def as_number(self, x: Value) -> Value: ...
    def keep(self, *values: Value) -> None: ...
    def array(self, value: Value) -> Any: ...


class NumpyOps:
    """float32 NumPy; rays that hit nothing may compute nonsense, which is masked afterwards."""

    sqrt = staticmethod(np.sqrt)
    floor = staticmethod(np.floor)
    exp = staticmethod(np.exp)
    log = staticmethod(np.log)
    sin = staticmethod(np.sin)
    cos = staticmethod(np.cos)
    maximum = staticmethod(np.maximum)
    minimum = staticmethod(np.minimum)
    absolute = staticmethod(np.abs)
    select = staticmethod(np.where)

    def table(self, array: Any) -> Value:
        return np.ascontiguousarray(array, np.float32).ravel()

    def integers(self, array: Any) -> Value:
        return np.ascontiguousarray(array, np.uint32).ravel()

    def index(self, value: int) -> Value:
        return np.array([value], np.uint32)

    def number(self, value: float) -> Value:
        return np.array([value], np.float32)

    def count(self, n: int) -> Value:
        return np.arange(n, dtype=np.uint32)

    def gather(self, table: Value, index: Value) -> Value:
        return table[index]

    def gather3(self, table: Value, index: Value) -> Value:
        return np.ascontiguousarray(table.reshape(-1, 3)[index].T)

    def vector(self, x: Value, y: Value, z: Value) -> Value:
        return np.stack(np.broadcast_arrays(x, y, z))

    def dot(self, a: Value, b: Value) -> Value:
        return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]

    def cross(self, a: Value, b: Value) -> Value:
        return self.vector(
            a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
        )

    def as_index(self, x: Value) -> Value:
        return np.asarray(x).astype(np.int64).astype(np.uint32)

    def as_number(self, x: Value) -> Value:
        return np.asarray(x).astype(np.float32)

    def keep(self, *values: Value) -> None:
        pass

    def array(self, value: Value) -> Any:
        return np.asarray(value)


class DrjitOps:
    """Dr.Jit through Mitsuba's vectorised variant: one compiled kernel for all that is recorded."""

    def __init__(self, mi: Any) -> None:
        import drjit as dr

        self._dr = dr
        # Taken now: the module's names change with the variant that is set.
        self._float, self._uint, self._int, self._vector = (
            mi.Float,
            mi.UInt32,
            mi.Int32,
            mi.Vector3f,
        )
        self.sqrt, self.floor, self.exp, self.log = dr.safe_sqrt, dr.floor, dr.exp, dr.log
        self.sin, self.cos, self.absolute = dr.sin, dr.cos, dr.abs
        self.maximum, self.minimum, self.select = dr.maximum, dr.minimum, dr.select
        self.dot, self.cross = dr.dot, dr.cross

    def table(self, array: Any) -> Value:
        return self._float(np.ascontiguousarray(array, np.float32).ravel())

    def integers(self, array: Any) -> Value:
        return self._uint(np.ascontiguousarray(array, np.uint32).ravel())

    def index(self, value: int) -> Value:
        # Opaque: the value is an argument of the kernel, which is then compiled once for all.
        return self._dr.opaque(self._uint, value)

    def number(self, value: float) -> Value:
        return self._dr.opaque(self._float, value)

    def count(self, n: int) -> Value:
        return self._dr.arange(self._uint, n)

    def gather(self, table: Value, index: Value) -> Value:
        return self._dr.gather(type(table), table, index)

    def gather3(self, table: Value, index: Value) -> Value:
        return self._dr.gather(self._vector, table, index)

    def vector(self, x: Value, y: Value, z: Value) -> Value:
        return self._vector(x, y, z)

    def as_index(self, x: Value) -> Value:
        return self._uint(self._int(x))

    def as_number(self, x: Value) -> Value:
        return self._float(x)

    def keep(self, *values: Value) -> None:
        self._dr.eval(*values)

    def array(self, value: Value) -> Any:
        return np.asarray(value)


def make_ops(mi: Any) -> Ops:
    """Operations for the variant that is set."""
    return NumpyOps() if mi.variant().startswith("scalar") else DrjitOps(mi)


def normalise(ops: Ops, vector: Value) -> Value:
    """Vectors (3, n) of length 1; zero stays zero."""
    return vector * (1.0 / ops.sqrt(ops.maximum(ops.dot(vector, vector), 1e-30)))


def clamp(ops: Ops, x: Value, low: float, high: float) -> Value:
    """Numbers within low and high."""
    return ops.minimum(ops.maximum(x, low), high)


def hash3(ops: Ops, a: Value, b: Value, c: Value) -> tuple[Value, Value, Value]:
    """Three uint32 of three: PCG3D."""
    a, b, c = (x * ops.index(1664525) + ops.index(1013904223) for x in (a, b, c))
    for shifted in (False, True):
        if shifted:
            a, b, c = (x ^ (x >> ops.index(16)) for x in (a, b, c))
        a = a + b * c
        b = b + c * a
        c = c + a * b
    return a, b, c


def unit(ops: Ops, bits: Value) -> Value:
    """Uniform numbers in [0, 1) of uint32."""
    return ops.as_number(bits >> ops.index(8)) * TO_UNIT


def fraction(ops: Ops, x: Value) -> Value:
    """Numbers less their whole part."""
    return x - ops.floor(x)
