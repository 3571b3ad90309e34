import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "chaos" / "live"), str(ROOT / "tests" / "replication")]
