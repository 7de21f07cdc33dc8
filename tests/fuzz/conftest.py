"""Tells at the end how many inputs were tried."""

from fuzz.trials import READ, TRIED


def pytest_terminal_summary(terminalreporter):
    if TRIED:
        terminalreporter.section("inputs tried")
        for reader, count in sorted(TRIED.items()):
            terminalreporter.write_line(f"{reader:24} {count:9,}, of which read {READ[reader]:9,}")
        terminalreporter.write_line(f"{'all':24} {TRIED.total():9,}")
