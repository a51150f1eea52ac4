"""Run-length encoding of masks as COCO has it: column by column, from the background, as text."""

import numpy as np

_COLUMNS = 256  # read at once, so that a memory-mapped image is not copied whole


def class_runs(labels: np.ndarray, classes: int) -> list[np.ndarray]:
    """Return, for each class, the lengths of the runs without and with it in turn, int64 [R].

    Args:
        labels: uint8 [H, W].
        classes: their number; labels are below it.
    """
    starts, values = _changes(labels)
    ends = np.append(starts[1:], labels.size)
    return [_runs(starts[values == label], ends[values == label], labels.size) for label in range(classes)]


def _changes(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each run of one label starts, column by column, and the label."""
    starts, values, done, last = [], [], 0, -1
    for left in range(0, labels.shape[1], _COLUMNS):
        column = np.ascontiguousarray(labels[:, left : left + _COLUMNS].T).ravel()
        changed = np.append(column[0] != last, column[1:] != column[:-1])
        at = np.flatnonzero(changed)
        starts.append(at + done)
        values.append(column[at])
        done, last = done + column.size, int(column[-1])
    return np.concatenate(starts), np.concatenate(values)


def _runs(starts: np.ndarray, ends: np.ndarray, size: int) -> np.ndarray:
    borders = np.stack([starts, ends], axis=1).ravel()
    if not len(borders) or borders[-1] < size:
        borders = np.append(borders, size)
    return np.diff(borders, prepend=0)


def as_text(runs: np.ndarray) -> str:
    """Return run lengths as COCO's text: groups of 5 bits, from the fourth on of the difference to the last but one."""
    values = runs.astype(np.int64)
    values[3:] -= runs[1:-2]
    pieces, waiting = [], np.arange(len(values))
    for group in range(13):  # 5 bits each hold every int64
        bits = values[waiting] & 0x1F
        rest = values[waiting] >> 5
        is_last = np.where(bits & 0x10, rest == -1, rest == 0)
        pieces.append((waiting * 16 + group, bits | np.where(is_last, 0, 0x20)))
        values[waiting] = rest
        waiting = waiting[~is_last]
        if not len(waiting):
            break
    order = np.argsort(np.concatenate([places for places, _ in pieces]))
    codes = np.concatenate([codes for _, codes in pieces])[order] + 48
    return codes.astype(np.uint8).tobytes().decode("ascii")


def from_text(text: str) -> np.ndarray:
    """Return the run lengths, int64 [R], of COCO's text; the inverse of `as_text`.

    Raises:
        ValueError: the text has other characters, ends inside a number, or a number is too long or negative.
    """
    codes = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero(codes & 0x20 == 0)
    groups = np.diff(ends, prepend=-1)
    if not len(ends) or ends[-1] != len(codes) - 1 or codes.min() < 0 or codes.max() > 63 or groups.max() > 8:
        raise ValueError("is not COCO's text of run lengths")
    starts = ends - groups + 1
    places = np.arange(len(codes)) - np.repeat(starts, groups)
    values = np.add.reduceat((codes & 0x1F) << (5 * places), starts)
    values -= np.where(codes[ends] & 0x10, 1 << (5 * groups), 0)
    values[1::2] = values[1::2].cumsum()
    values[2::2] = values[2::2].cumsum()
    if values.min() < 0:
        raise ValueError("has a negative run length")
    return values


def bounding_box(runs: np.ndarray, height: int) -> list[int]:
    """Return left, top, width and height of the box around a mask's pixels."""
    borders = runs.cumsum()
    starts, ends = borders[0 : len(runs) // 2 * 2 : 2], borders[1::2]
    if not (ends > starts).any():
        return [0, 0, 0, 0]
    starts, ends = starts[ends > starts], ends[ends > starts] - 1
    left, right = int(starts[0] // height), int(ends[-1] // height)
    is_whole = starts // height != ends // height
    top = 0 if is_whole.any() else int((starts % height).min())
    bottom = height - 1 if is_whole.any() else int((ends % height).max())
    return [left, top, right - left + 1, bottom - top + 1]
