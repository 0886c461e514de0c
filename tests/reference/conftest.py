"""The table of `test_responses.py`, after the tests."""

from __future__ import annotations

from typing import Any

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what `test_responses.py` recorded."""
    rows: list[dict[str, Any]] = [
        value
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        for name, value in getattr(report, "user_properties", [])
        if name == "responses"
    ]
    if not rows:
        return
    terminalreporter.section("responses beside TMVA")
    terminalreporter.line(f"{'column':<36} {'method':<10} {'events':>6} {'difference':>10} {'/ tolerance':>11}")
    for row in sorted(rows, key=lambda row: row["column"]):
        terminalreporter.line(
            f"{row['column']:<36} {row['method']:<10} {row['events']:>6} {row['difference']:>10.2e} {row['share']:>11.3f}"
        )
