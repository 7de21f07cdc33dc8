"""Does everything that is promised hold on this machine's GPU? A run of checks with stated bars.

Each section measures something and holds it against its bar. A section that fails does not stop
the others. The whole takes less than ten minutes on one GPU, or it can be taken in parts. The
checks themselves are in `acceptance_checks`.
"""

import json
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from trm_lite.common.device import circumstances, pick_device
from trm_lite.common.errors import UserError, nearest
from trm_lite.common.files import write_atomically


@dataclass
class Check:
    """A measured value and the bar that it has to keep."""

    name: str
    value: float
    bar: float | None = None  # the most that it may be, or the least; None is only told
    least: bool = False  # whether the bar is the least
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether the bar is kept."""
        if self.bar is None:
            return True
        return self.value >= self.bar if self.least else self.value <= self.bar

    def __str__(self) -> str:
        bar = (
            "" if self.bar is None else f", {'at least' if self.least else 'at most'} {self.bar:g}"
        )
        note = f" ({self.note})" if self.note else ""
        return f"{'ok' if self.ok else 'FAILED':7}{self.name}: {self.value:.4g}{bar}{note}"


@dataclass
class Site:
    """Where and how the checks run."""

    device: torch.device
    tiny: bool  # the same checks on the smallest sizes, to see whether they run at all
    folder: Path  # for runs
    parity: Callable[[str], list[Check]]  # the comparison with the authors' numbers
    notes: dict = field(default_factory=dict)  # for the report

    @property
    def name(self) -> str:
        """The name of the device."""
        return str(self.device)

    @property
    def gpu(self) -> bool:
        """Whether it is an NVIDIA GPU, which some checks are about."""
        return self.device.type == "cuda"


def accept(
    sections: dict[str, Callable[[Site], list[Check]]],
    parity: Callable[[str], list[Check]],
    *,
    device: str = "cuda",
    tiny: bool = False,
    only: tuple[str, ...] = (),
    seconds: float = 570.0,
    out: Path | None = None,
    say: Callable[[str], object] = print,
) -> dict:
    """Run the checks; returns the report, which is also written to `out` after every section.

    Args:
        sections: all sections by name, in their order.
        parity: the comparison with the authors' numbers on a device.
        device: see `pick_device`.
        tiny: the smallest sizes; nothing that depends on speed has a bar then.
        only: run only these sections.
        seconds: begin no further section after this time.
        out: file of the report.
        say: hears a line per check.
    """
    for name in only:
        if name not in sections:
            raise UserError(
                f"There is no section '{name}'; {nearest(name, sections, ', '.join(sections))}",
                "only",
            )
    place, begun = pick_device(device), time.monotonic()
    report: dict = {"circumstances": circumstances(place, {}), "tiny": tiny, "sections": {}}
    with tempfile.TemporaryDirectory() as folder:
        site = Site(place, tiny, Path(folder), parity)
        for name in only or sections:
            if time.monotonic() - begun > seconds:
                report["sections"][name] = {"skipped": "no time was left"}
                say(f"--     {name}: no time was left")
                continue
            report["sections"][name] = _section(name, sections[name], site, say)
            report["ok"] = all(part.get("ok", False) for part in report["sections"].values())
            if out is not None:
                write_atomically(out, (json.dumps(report, indent=1) + "\n").encode())
    return report


def _section(name: str, run: Callable[[Site], list[Check]], site: Site, say) -> dict:
    started, problem, checks = time.monotonic(), "", []
    site.notes = {}
    try:
        checks = run(site)
    except Exception as error:  # a fault in one section must not cost the others
        problem = f"{type(error).__name__}: {error}"
        site.notes["traceback"] = traceback.format_exc()
    took = time.monotonic() - started
    say(f"{name}, {took:.1f} s" + (f": FAILED, {problem}" if problem else ""))
    for check in checks:
        say(f"  {check}")
    return {
        "ok": not problem and all(check.ok for check in checks),
        "seconds": round(took, 2),
        "checks": [asdict(check) | {"ok": check.ok} for check in checks],
        **site.notes,
    }
