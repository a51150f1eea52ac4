"""The ground: byte-stable atomic writing, checksums, YAML 1.2 and JSON records."""
