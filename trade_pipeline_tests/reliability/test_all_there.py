"""Nothing of the list is left out."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent


def test_each_of_the_thirty_statements_has_a_test_named_after_it() -> None:
    text = "".join(path.read_text() for path in sorted(HERE.glob("test_statements_*.py")))
    named = re.findall(r"^def test_statement_(\d\d)_\w+\(", text, re.MULTILINE)
    assert sorted({int(number) for number in named}) == list(range(1, 31))
    assert "pytest.mark.skip" not in text and "pytest.mark.xfail" not in text
