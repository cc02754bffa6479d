"""The frame of every page: one file whose policy forbids outside requests.

The policy names the page's own style and script by their digests, so that nothing that a name or a
warning holds could ever run.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from mvps.report.markup import Content, Markup, tag, void


def resource(name: str) -> str:
    """A style sheet or a script that lies beside the code."""
    return files("mvps.report").joinpath(name).read_text(encoding="utf-8")


def document(title: str, *body: Content, style: str, script: str = "") -> str:
    """A whole page.

    Parameters
    ----------
    title : plain text
    body : markup, or text that is escaped
    style, script : contents, not names
    """
    head = (
        void("meta", charset="utf-8"),
        void("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        void("meta", name="viewport", content="width=device-width, initial-scale=1"),
        void("meta", name="referrer", content="no-referrer"),
        void("meta", name="color-scheme", content="light dark"),
        void("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", Markup(style)),
    )
    end = tag("script", Markup(script)) if script else ""
    page = tag("html", tag("head", head), tag("body", *body, end), lang="en")
    return "<!doctype html>\n" + page + "\n"


def _policy(style: str, script: str) -> str:
    def digest(text: str) -> str:
        code = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
        return f"'sha256-{code}'"

    scripts = digest(script) if script else "'none'"
    return (
        f"default-src 'none'; img-src data:; style-src {digest(style)}; "
        f"script-src {scripts}; base-uri 'none'; form-action 'none'"
    )
