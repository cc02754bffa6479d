"""File patterns with ``{sample}`` and ``{light}``: what they mean and which files they match.

``{light}`` takes an integer format such as ``{light:02d}``; a number on disk counts only when it is
spelt as the format would spell it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

from mvps.capture.folders import Folders
from mvps.errors import InputError
from mvps.yaml_nodes import did_you_mean

PLACEHOLDERS = ("sample", "light")
_LIGHT_FORMAT = re.compile(r"(0\d{1,2})?d?", re.ASCII)

Fail = Callable[[str, str], InputError]
Token = tuple[str, str, str]  # literal text, placeholder or "", format of the placeholder
Component = tuple[Token, ...]


@dataclass(frozen=True)
class Match:
    """A file that a pattern matches, and the sample and light that it stands for."""

    path: Path
    sample: str
    light: int | None


@dataclass(frozen=True)
class Pattern:
    """A path with placeholders, relative to ``base`` unless it is absolute."""

    text: str
    base: Path
    components: tuple[Component, ...]

    def holds(self, placeholder: str) -> bool:
        """Whether the pattern holds ``{sample}`` or ``{light}``."""
        return any(token[1] == placeholder for part in self.components for token in part)

    def path(self, sample: str = "", light: int = 0) -> Path:
        """The path for one sample and light."""
        parts = ("".join(_spell(part, sample, light)) for part in self.components)
        return self.base.joinpath(*parts)

    def matches(self, folders: Folders, accept: Callable[[str], bool]) -> Iterator[Match]:
        """Files on disk that match, for every sample whose name is accepted."""
        yield from _walk(self.base, self.components, {}, folders, accept)


def parse_pattern(text: str, base: Path, fail: Fail, allowed: tuple[str, ...]) -> Pattern:
    """Pattern of a text.

    Parameters
    ----------
    base : folder that a relative pattern starts from
    fail : makes the error from what is wrong and the remedy; it knows the place
    allowed : placeholders that may stand here
    """
    if any(sign in text for sign in "*?"):
        raise fail("a pattern holds {sample} and {light} and nothing else, no * or ?", "")
    if "\\" in text:
        raise fail("a path is written with /, not with a backslash", "")
    anchor = Path(text).anchor
    tokens = [_checked(token, text, fail, allowed) for token in _tokens(text[len(anchor) :], fail)]
    components: list[Component] = []
    current: list[Token] = []
    for literal, name, spec in tokens:
        first, *rest = literal.split("/")
        current.append((first, "", ""))
        for piece in rest:
            components.append(tuple(current))
            current = [(piece, "", "")]
        if name:
            current.append(("", name, spec))
    components.append(tuple(current))
    _check_gaps(components, text, fail)
    kept = tuple(part for part in components if any(token != ("", "", "") for token in part))
    if not kept:
        raise fail("the pattern is empty", "")
    return Pattern(text, Path(anchor) if anchor else base, kept)


def _tokens(text: str, fail: Fail) -> list[Token]:
    try:
        parsed = list(Formatter().parse(text))
    except ValueError as error:
        raise fail(f"{text!r} is not a pattern ({error})", "") from None
    tokens = []
    for literal, name, spec, conversion in parsed:
        if conversion:
            raise fail(f"{{{name}!{conversion}}}: a conversion is not allowed", "")
        if name == "":
            raise fail("an empty placeholder {}", "write {sample} or {light}")
        tokens.append((literal, name or "", spec or ""))
    return tokens


def _checked(token: Token, text: str, fail: Fail, allowed: tuple[str, ...]) -> Token:
    _, name, spec = token
    if not name:
        return token
    if name not in PLACEHOLDERS:
        raise fail(f"unknown placeholder {{{name}}} in {text!r}", did_you_mean(name, PLACEHOLDERS))
    if name not in allowed:
        raise fail(f"{{{name}}} has no meaning here", "")
    if name == "sample" and spec:
        raise fail(f"{{sample:{spec}}}: a sample takes no format", "write {sample}")
    if name == "light" and not _LIGHT_FORMAT.fullmatch(spec):
        raise fail(f"{{light:{spec}}}: not an integer format", "write it as {light:02d}")
    return token


def _check_gaps(components: list[Component], text: str, fail: Fail) -> None:
    """Refuse placeholders that touch, or that only digits part: no file name tells them apart."""
    for part in components:
        gap: str | None = None
        for literal, name, _ in part:
            if not name:
                gap = None if gap is None else gap + literal
                continue
            if gap is not None and not gap.strip("0123456789"):
                raise fail(f"nothing parts the placeholders in {text!r}", "put a letter between")
            gap = ""


def _spell(part: Component, sample: str, light: int) -> Iterator[str]:
    for literal, name, spec in part:
        if not name:
            yield literal
        else:
            yield sample if name == "sample" else format(light, spec)


def _walk(
    folder: Path,
    parts: tuple[Component, ...],
    bound: Mapping[str, str],
    folders: Folders,
    accept: Callable[[str], bool],
) -> Iterator[Match]:
    part, rest = parts[0], parts[1:]
    entries = folders.list_if_there(folder)
    names = entries.folders if rest else entries.files
    if any(token[1] and token[1] not in bound for token in part):
        candidates = _bindings(part, bound, names, accept)
    else:
        literal = "".join(_spell(part, bound.get("sample", ""), int(bound.get("light", 0))))
        # A literal step may leave the listing ("..", or a hidden name); only its existence counts.
        there = literal in names or (folder / literal).exists()
        candidates = iter([(literal, bound)] if there else [])
    for name, found in candidates:
        if rest:
            yield from _walk(folder / name, rest, found, folders, accept)
        else:
            light = int(found["light"]) if "light" in found else None
            yield Match(folder / name, found.get("sample", ""), light)


def _bindings(
    part: Component, bound: Mapping[str, str], names: tuple[str, ...], accept: Callable[[str], bool]
) -> Iterator[tuple[str, Mapping[str, str]]]:
    free: set[str] = set()
    expression = ""
    for token in part:
        name = token[1]
        if name and name not in bound:
            group = ".+" if name == "sample" else "[0-9]{1,9}"
            expression += f"(?P={name})" if name in free else f"(?P<{name}>{group})"
            free.add(name)
        else:
            fixed = _spell((token,), bound.get("sample", ""), int(bound.get("light", 0)))
            expression += re.escape("".join(fixed))
    compiled = re.compile(expression)
    spec = next((token[2] for token in part if token[1] == "light"), "")
    for name in names:
        match = compiled.fullmatch(name)
        if match is None:
            continue
        groups = match.groupdict()
        if "light" in groups and format(int(groups["light"]), spec) != groups["light"]:
            continue
        if "sample" in groups and not accept(groups["sample"]):
            continue
        yield name, {**bound, **groups}
