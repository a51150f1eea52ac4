"""Text in place of params.yaml: what is read is small enough to print, or the end is one sentence."""

import tempfile
from pathlib import Path

from harm import ROOT, attack, sentence
from hypothesis import strategies as st

from maskline.files.yaml12 import read_yaml

PIECES = [
    *("a: ", "- ", "? ", ": ", "\n", "  ", "[", "]", "{", "}", ", ", "|\n", ">-\n", "'", '"', "#", "---\n", "...\n"),
    *("&a ", "*a", "&b ", "*b", "<<: *a", "!!int ", "!!float ", "!!bool ", "!!null ", "!!str ", "!!set ", "!!omap "),
    *("!!timestamp ", "!!binary ", "!!python/name:os.system ", "!evil ", "%YAML 1.1\n", "%TAG ! tag:evil,2000:\n"),
    *("foo", "1e999", "0x", "1" * 5000, "0b" + "1" * 5000, ".nan", "~", "12:30", "2001-01-01", "\t", "\x85", "\u2028"),
    *('"\\ud800"', '"\\U00110000"', '"\\x00"', '"\\x1b[2J"', "[" * 300, "{a: " * 300, "- " * 300, "\ufeff", "\x1b"),
]
ORIGINAL = (ROOT / "params.yaml").read_text(encoding="utf-8")


@st.composite
def spoiled(draw: st.DrawFn) -> str:
    """Return the project's own params with pieces put into them."""
    text = ORIGINAL
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        text = text[:start] + draw(PIECE) + text[start + draw(st.integers(0, 20)) :]
    return text


PIECE = st.sampled_from(PIECES)
BOMB = st.integers(1, 30).map(
    lambda depth: "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{f'*a{i - 1}, ' * 9}]\n" for i in range(1, depth))
)
TEXTS = st.lists(PIECE | st.text(max_size=8), max_size=30).map("".join) | spoiled() | BOMB


def main() -> None:
    """Attack."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"

        def read(content: str | bytes) -> None:
            data = content.encode(errors="surrogatepass") if isinstance(content, str) else content
            path.write_bytes(data)
            read_values = []
            told = sentence(lambda: read_values.append(read_yaml(path)))
            assert told is None or str(path) in told
            for value in read_values:
                assert len(repr(value)) < 10_000_000
                repr(value).encode()

        attack(TEXTS | st.binary(max_size=200), read)


if __name__ == "__main__":
    main()
