"""The folders that stages write, and the model file, relative to the folder of dvc.yaml."""

from pathlib import Path

RAW = Path("data/raw")
WEIGHTS = Path("data/weights")
SHARDS = Path("data/shards")
MODEL = Path("data/model")
MODEL_FILE = MODEL / "model.keras"
EVALUATION = Path("data/evaluation")
METRICS = Path("metrics")
