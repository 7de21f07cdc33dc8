"""The figures of the bench as tables of text."""

from trm_lite.common.tables import columns
from trm_lite.evaluation.scoring import Share


def bench_text(figures: dict) -> str:
    """The figures of `bench` as tables of text."""
    around = figures["circumstances"]
    peaks = [
        (
            f"matrix products on {threads} core{'s' if int(threads) > 1 else ''}",
            *(f"{name} {rate / 1e9:,.0f} GFLOP/s" for name, rate in rates.items()),
        )
        for threads, rates in figures["peak_flops"].items()
    ]
    parts = [f"{around['device']}, torch {around['torch']}\n{columns(peaks)}"]
    parts += [_training_text(name, table) for name, table in figures["training"].items()]
    parts += [_evaluation_text(figures["evaluation"]), _data_text(figures)]
    return "\n\n".join(parts)


def _training_text(name: str, table: dict) -> str:
    title = (
        f"training {name}, {table['slots']} slots, {table['flops_per_step'] / 1e9:.1f} GFLOP "
        f"a step, {table['peak_bytes'] / 2**20:,.0f} MiB"
    )
    rows = [
        (
            system,
            f"{row['samples_per_second']:,.1f}",
            f"{row['share_of_peak']:.0%}",
            f"{row['ratio']:.2f} [{row['ratio_low']:.2f}, {row['ratio_high']:.2f}]",
        )
        for system, row in table["rows"].items()
    ]
    headings = ("", "samples/s", "of peak", "textbook x")
    return f"{title}\n{columns(rows, headings, align='<>>', indent='  ')}"


def _evaluation_text(table: dict) -> str:
    rows = [(what, f"{pace:,.0f}") for what, pace in table["puzzles_per_second"].items()]
    speedup = "{:.1f} [{:.1f}, {:.1f}]".format(*table["speedup"])
    return (
        f"evaluating {table['preset']}\n"
        f"{columns(rows, ('', 'puzzles/s'), align='<>', indent='  ')}\n"
        f"  halting above {table['halt_above']:.2f}: {table['steps_on_average']:.2f} steps on "
        f"average, {table['fewer_applications']:.1f} times fewer applications, {speedup} times the "
        "pace of 16 steps,\n"
        f"  solved {Share(**table['exact_halting'])} instead of {Share(**table['exact_sixteen'])}"
    )


def _data_text(figures: dict) -> str:
    rows = [
        (what, f"{made['here']:,.0f} /s", f"{made['here'] / made['loop']:.0f} times the loop")
        for what, made in figures["data"].items()
    ]
    rows += [
        (f"drawing a batch of {name}", f"{part:.1%}", "of a training step")
        for name, part in figures["batch_share"].items()
    ]
    title = "making data, and a loop that makes it puzzle by puzzle"
    return f"{title}\n{columns(rows, align='<>', indent='  ')}"
