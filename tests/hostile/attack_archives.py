"""Archives: what is unpacked lies in the new folder and is of bounded size, or the end is one sentence."""

import io
import shutil
import tarfile
import tempfile
import warnings
import zipfile
from pathlib import Path

from harm import attack, listing, sentence
from hypothesis import strategies as st

from maskline.datasets import archives

NAMES = st.sampled_from(
    [
        ".",
        "",
        "/",
        "..",
        "a",
        "a/b",
        "a/b/c",
        "a/",
        "./a",
        "../x",
        "/etc/x",
        "C:\\x",
        "a\\..\\..\\x",
        "a//b",
        "é",
        "\x1b[2J",
        "a\nb",
        "~",
        "x" * 300,
        "/".join("y" * 200 for _ in range(30)),
        "a/../..",
        "nul\x00nul",
        "\udc80",
    ]
) | st.text(max_size=6)
CONTENTS = st.sampled_from([b"", b"x", bytes(2**20 + 1), b"\x89PNG\r\n\x1a\n" * 9])  # one needs two reads
MEMBERS = st.lists(st.tuples(NAMES, CONTENTS, st.integers(0, 9)), max_size=5)
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
TYPES = (tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)


def zipped(members: list) -> bytes:
    """Return a .zip file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, content, kind in members:
            member = zipfile.ZipInfo(name.encode(errors="replace").decode())
            member.compress_type = METHODS[kind % len(METHODS)]
            member.external_attr = (0o120777 if kind == 9 else 0o100644) << 16
            file.writestr(member, content)
    return out.getvalue()


def tarred(members: list, mode: str) -> bytes:
    """Return a .tar file, plain or compressed."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as file:
        for name, content, kind in members:
            member = tarfile.TarInfo(name)
            member.type = TYPES[kind % len(TYPES)] if kind > 4 else tarfile.REGTYPE
            member.size = len(content) if member.isfile() else 0
            member.linkname = "/etc/passwd"
            file.addfile(member, io.BytesIO(content))
    return out.getvalue()


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """Return an archive, as it is or with some bytes changed, cut off, or put before it."""
    members = draw(MEMBERS)
    data = (
        zipped(members) if draw(st.booleans()) else tarred(members, draw(st.sampled_from(["w", "w", "w:gz", "w:xz"])))
    )
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, max(0, len(data) - 1)))
        place = len(data) - place if draw(st.booleans()) else place  # headers are at either end
        data = data[:place] + draw(st.binary(max_size=4)) + data[place + draw(st.integers(0, 4)) :]
    return data[: draw(st.integers(0, len(data)))] if draw(st.integers(0, 5)) == 0 else data


def main() -> None:
    """Attack."""
    warnings.simplefilter("ignore")  # two members of one name, which is meant
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive, number = folder / "archive", iter(range(10**9))

        def unpack(data: bytes) -> None:
            archive.write_bytes(data)
            new, before = folder / f"new{next(number)}", listing(folder)
            told = sentence(lambda: archives.unpack(archive, new, lambda member: True))
            assert told is None or str(archive) in told
            made = listing(folder).keys() - before.keys()
            assert all(path == str(new) or path.startswith(f"{new}/") for path in made)
            assert sum(Path(path).stat().st_size for path in made) <= 70 * 2**20
            shutil.rmtree(new)

        attack(spoiled() | st.binary(max_size=300), unpack)


if __name__ == "__main__":
    main()
