"""The commands `trm-lite parity | convert | download`, about the authors' code and checkpoints."""

from pathlib import Path

from tyro.conf import Positional

from trm_lite.cli.options import Device


def parity(
    file: Positional[Path], config: Path | None = None, device: Device = "cpu", json: bool = False
) -> int:
    """Compare this package with numbers that the authors' code computed.

    Prints name, largest deviation, tolerance and verdict of every quantity. The exit status is 1
    if a quantity is outside its tolerance.

    Args:
        file: A golden .npz file, such as those in tests/golden.
        config: JSON file of configurations, by default model_configs.json beside FILE.
        device: Where this package computes.
        json: Print one JSON object instead of a table.
    """
    from trm_lite.official.parity import check_parity, report

    golden = check_parity(file, config, device)
    print(report(golden, as_json=json))
    return 0 if golden.ok else 1


def convert(
    file: Positional[Path],
    out: Path | None = None,
    export: bool = False,
    puzzles: str = "keep",
    seq_len: int | None = None,
    prefix_len: int | None = None,
    num_heads: int | None = None,
    T: int | None = None,
    n: int | None = None,
) -> int:
    """Convert a checkpoint of the authors' code of TRM, HRM, EqR or URM into ours, or back.

    Args:
        file: A checkpoint of theirs (such as step_65104), or with --export a file of ours.
        out: File to write, by default FILE.trm_lite.safetensors, or FILE without ending for an
            export.
        export: Write the authors' layout from a .safetensors file that `train` wrote.
        puzzles: The table of puzzle embeddings: keep, drop, or a number of rows.
        seq_len: Cells of a puzzle, if the file does not tell.
        prefix_len: Positions before the cells, which hold the puzzle embedding.
        num_heads: Attention heads.
        T: Full recursions per supervision step, called H_cycles by the authors. A URM has T times
            n loops.
        n: Latent updates per full recursion, called L_cycles by the authors.
    """
    from trm_lite.official import checkpoints as official

    fields = dict(seq_len=seq_len, prefix_len=prefix_len, num_heads=num_heads, T=T, n=n)
    given = {name: value for name, value in fields.items() if value is not None}
    return official.convert(file, out, export=export, puzzles=puzzles, given=given)


def download(
    name: Positional[str], out: Path | None = None, step: str | None = None, list: bool = False
) -> int:
    """Download a public checkpoint of TRM or HRM from the Hugging Face Hub, or ConceptARC.

    Args:
        name: A checkpoint such as trm-sudoku-mlp, any OWNER/REPOSITORY of the Hub, or concept-arc.
            An unknown name shows all.
        out: Folder to keep it in, by default checkpoints, or data for ConceptARC.
        step: Which checkpoint of several: the number of its step, or the name of its file. By
            default the latest.
        list: Only show which checkpoints there are.
    """
    from trm_lite.data.benchmarks.concept_arc import NAME, fetch_concept_arc
    from trm_lite.official.download import fetch, listing

    if name == NAME:
        path = fetch_concept_arc(out or Path("data"))
        print(f"{path}\nNext: trm-lite data arc-agi-1 --concept {path}")
    elif list:
        print(listing(name))
    else:
        path = fetch(name, out or Path("checkpoints"), step)
        print(f"{path}\nNext: trm-lite convert {path}")
    return 0
