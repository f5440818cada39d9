"""The transcriptions of the published maths that the benchmark times, for the tests that compare values with them."""

import importlib.util
from pathlib import Path

_SPEC = importlib.util.spec_from_file_location("rivals", Path(__file__).resolve().parents[1] / "scripts" / "rivals.py")
rivals = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(rivals)
