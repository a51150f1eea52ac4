"""A self-contained HTML page from a folder with its template, style and scripts."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup


def rendered(template: Path, scripts: Sequence[str], **values: Any) -> str:
    """Return the page that a folder's `page.html.jinja` makes of its `page.css`, its scripts and values.

    Args:
        template: the folder.
        scripts: names of files in it, joined to the only script, which the page's security policy names by its SHA-256.
        values: further names in the template; text is escaped.
    """
    environment = Environment(
        loader=FileSystemLoader(template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    script = joined(template, scripts)
    return environment.get_template("page.html.jinja").render(
        style=Markup((template / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_sha256=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        **values,
    )


def joined(template: Path, scripts: Sequence[str]) -> str:
    """Return the text of scripts in a folder, one after another."""
    return "\n".join((template / name).read_text(encoding="utf-8") for name in scripts)
