"""The command `trm-lite accept`: does everything that is promised hold on this GPU?"""

from pathlib import Path

from trm_lite.cli.options import Device

# Golden files whose every quantity can be compared on a GPU; the first one alone in a tiny run.
PARITY = ("trm_singlez", "trm_mlp", "trm_att", "hrm", "urm")


def accept(
    device: Device = "cuda",
    tiny: bool = False,
    only: tuple[str, ...] = (),
    seconds: float = 570.0,
    golden: Path = Path("tests/golden"),
    out: Path = Path("acceptance.json"),
) -> int:
    """Check this machine's GPU: the authors' numbers, training, speed, memory, saving, processes.

    Takes less than ten minutes on one GPU, and prints a line per check with its bar. The exit
    status is 1 if a bar is not kept.

    Args:
        device: Where to compute.
        tiny: The smallest sizes, to see on a CPU whether the checks run.
        only: Run only these sections, such as: parity "full size". All if none.
        seconds: Begin no further section after so many seconds.
        golden: Folder of the authors' numbers, which is in the course's repository.
        out: File for the report as JSON.
    """
    from trm_lite.common.errors import UserError
    from trm_lite.experiments.acceptance import Check
    from trm_lite.experiments.acceptance import accept as run
    from trm_lite.experiments.acceptance_checks import SECTIONS
    from trm_lite.official.parity import check_parity

    def parity(place: str) -> list[Check]:
        if not golden.is_dir():
            raise UserError(f"There is no folder {golden}; name that of the repository.", "golden")
        checks = []
        for stem in PARITY[:1] if tiny else PARITY:
            found = check_parity(golden / f"{stem}.npz", device=place)
            worst = max(one.deviation / one.tolerance for one in found.checks if one.tolerance)
            wrong = sum(not one.ok for one in found.checks)
            note = f"{len(found.checks)} quantities, {wrong} beyond their tolerance"
            checks.append(Check(f"{stem}, of the tolerance", worst + (wrong > 0), 1.0, note=note))
        return checks

    report = run(
        SECTIONS, parity, device=device, tiny=tiny, only=only, seconds=seconds, out=out
    )  # fmt: skip
    kept = [part.get("ok", False) for part in report["sections"].values()]
    print(f"{sum(kept)} of {len(kept)} sections are well; see {out}")
    return 0 if all(kept) else 1
