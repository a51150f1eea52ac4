"""A plan as text for a terminal of 80 columns, and as JSON for programs."""

import re
import shlex
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from maskline.files.artifacts import json_text
from maskline.messages import printable
from maskline.planning.forecast import StageForecast
from maskline.planning.machine import Machine
from maskline.planning.params_text import written
from maskline.planning.plan import Change, Plan
from maskline.planning.wording import plural

_WIDTH = 80
_TOGETHER = re.compile(r" (?=\(|[%kMG](?![A-Za-z]))")  # spaces where no line ends: '12 %' and '255 (73 k)'
_MOST_ITEMS = 12  # of a list
_REASONS = 36  # column where reasons start


def as_text(plan: Plan, path: str, project: Path | None) -> str:
    """Return what was found, the params and their reasons, the forecast, and what to type next.

    Args:
        plan: the plan.
        path: of the data set, as the user named it.
        project: the folder that was written; None: none was.
    """
    found = plan.found
    parts = [
        f"{printable(path)}\n\n{_aligned((finding.topic, finding.text) for finding in found.findings)}",
        _section("Look at this before you train", _bullets(found.warnings)),
        _section("Params that differ from the defaults", "\n".join(map(_change, plan.changes))),
        _section(f"Forecast for this machine: {_machine(plan.machine)}", _forecast(plan.forecast)),
        _section(f"Written to {project}/. Next" if project else "Next", _commands(path, project)),
    ]
    return "\n\n".join(filter(None, parts))


def as_json(plan: Plan, project: Path | None) -> str:
    """Return the plan as JSON.

    Keys: path, findings, warnings, images, classes, void_pixels, sampled, sizes, channels, stored_bytes, groups,
    machine, params (value, default and reason by dotted key), forecast (stage, seconds; memory and disk in bytes),
    and project, the folder that was written or null.
    """
    found = plan.found
    document: dict[str, Any] = {
        "path": None if found.path is None else str(found.path),
        "findings": [finding._asdict() for finding in found.findings],
        "warnings": found.warnings,
        "images": found.images,
        "classes": [each._asdict() for each in found.classes],
        "void_pixels": found.void_pixels,
        "sampled": found.sampled,
        "sizes": {"smallest": found.smallest, "median": found.median, "largest": found.largest},
        "channels": found.channels,
        "stored_bytes": found.stored_bytes,
        "groups": found.groups,
        "machine": plan.machine._asdict(),
        "params": {
            change.key: {"value": change.value, "default": change.default, "reason": change.reason}
            for change in plan.changes
        },
        "forecast": [stage._asdict() for stage in plan.forecast],
        "project": None if project is None else project.as_posix(),
    }
    return json_text(document)


def _section(title: str, body: str) -> str:
    return f"{title}\n{body}" if body else ""


def _aligned(pairs: Iterable[tuple[str, str]]) -> str:
    rows = [(printable(left), printable(right)) for left, right in pairs]
    width = max((len(left) for left, _ in rows), default=0)
    return "\n".join(_hanging(f"  {left:{width}}  ", right) for left, right in rows)


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(_hanging("  - ", printable(line)) for line in lines)


def _hanging(start: str, text: str, indent: int | None = None) -> str:
    """Return text that begins after `start`, and goes on below its beginning or at the column `indent`."""
    return textwrap.fill(
        _TOGETHER.sub("\0", text),
        _WIDTH,
        initial_indent=start,
        subsequent_indent=" " * (len(start) if indent is None else indent),
        break_long_words=False,
        break_on_hyphens=False,
    ).replace("\0", " ")


def _change(change: Change) -> str:
    """Return a param and its reason, next to each other where the value is short, else one below the other."""
    head = printable(f"  {change.key}: {_value(change.value)}")
    if isinstance(change.value, list):
        head = _hanging("", head, 6)
    reason = _hanging(" " * _REASONS, printable(change.reason))
    if "\n" not in head and len(head) <= _REASONS - 2:
        return head + reason[len(head) :]
    return f"{head}\n{reason}"


def _value(value: Any) -> str:
    """Return a value as YAML has it, with what is in the middle of long lists left out."""
    if not isinstance(value, list):
        return written(value)
    if _is_row(value):
        return f"[{value[0]} ... {value[-1]}]"
    items = [_value(each) if isinstance(each, list) else written([each])[1:-1] for each in value]
    if len(items) > _MOST_ITEMS:
        items[_MOST_ITEMS - 1 :] = [f"... {len(items) - _MOST_ITEMS + 1} more"]
    return f"[{', '.join(items)}]"


def _is_row(values: list[Any]) -> bool:
    """Return whether values are more than three whole numbers without a gap."""
    return len(values) > 3 and isinstance(values[0], int) and values == list(range(values[0], values[0] + len(values)))


def _machine(machine: Machine) -> str:
    parts = [
        plural(machine.cores, "core"),
        *([] if machine.memory is None else [_bytes(machine.memory)]),
        ", ".join(map(printable, machine.gpus)) or "no GPU",
    ]
    return ", ".join(parts)


def _forecast(stages: list[StageForecast]) -> str:
    rows = [(each.stage, _time(each.seconds), _bytes(each.memory), _bytes(each.disk)) for each in stages]
    total = (
        "all",
        _time(sum(each.seconds for each in stages)),
        _bytes(max(each.memory for each in stages)),
        _bytes(sum(each.disk for each in stages)),
    )
    head = ("stage", "time", "memory", "disk")
    return "\n".join(f"  {a:12}{b:>12}{c:>12}{d:>12}" for a, b, c, d in (head, *rows, total))


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _bytes(number: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if number >= size:
            return f"{number / size:.1f} {unit}" if number < 100 * size else f"{number / size:.0f} {unit}"
    return f"{max(1, round(number / 1e3))} kB" if number else "0"


def _commands(path: str, project: Path | None) -> str:
    if project is None:
        name = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in Path(path).resolve().name)
        folder = f"projects/{name.strip('-').lower() or 'mine'}"
        return f"  maskline plan {printable(shlex.quote(path))} --write {folder}"
    place = printable(shlex.quote(project.as_posix()))
    return _aligned_commands(
        [
            (f"dvc repro {place}/dvc.yaml", "train, and write the report"),
            (f"{place}/metrics/report.html", "open it in a browser"),
            (f"{place}/params.yaml", "correct it, and repro again"),
            (f"maskline folds 5 --folder {place}", "commit, then test on all images"),
        ]
    )


def _aligned_commands(rows: list[tuple[str, str]]) -> str:
    """Return commands and what they do, next to each other where that fits, else one below the other."""
    width = max(len(command) for command, _ in rows)
    if 2 + width + 3 + max(len(what) for _, what in rows) > _WIDTH:
        return "\n".join(f"  {command}\n      {what}" for command, what in rows)
    return "\n".join(f"  {command:{width}}   {what}" for command, what in rows)
