"""Save a thought as an animated picture: GIF, APNG or WebP."""

from io import BytesIO
from pathlib import Path

import matplotlib.pyplot as plt
from PIL import Image

from trm_lite.common.errors import UserError
from trm_lite.viewing import plots
from trm_lite.viewing.traces import Trace

ENDINGS = (".gif", ".apng", ".webp")
PUZZLE_TIME, FRAME_TIME, END_TIME = 1500, 450, 4000  # milliseconds
COLOURS = 96  # colours of the palette that all frames share


def animate(trace: Trace, path: Path, *, title: str = "", dpi: int = 110) -> None:
    """Save a trace as an endless animation: the puzzle, every frame, then a pause.

    All frames share one palette, so that the file stores little beyond what changes. Raises
    UserError for another ending, and if the file cannot be written.

    Args:
        trace: the thought.
        path: a file ending in .gif, .apng or .webp.
        title: text above the board.
        dpi: resolution in dots per inch.
    """
    path = Path(path)
    pictures = [_picture(trace, step, title, dpi) for step in range(len(trace) + 1)]
    palette = _one_palette(pictures)
    frames = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    times = [PUZZLE_TIME, *[FRAME_TIME] * (len(trace) - 1), END_TIME]
    format = {".gif": "GIF", ".apng": "PNG", ".webp": "WEBP"}.get(path.suffix.lower())
    if format is None:
        raise UserError(
            f"{path.name} is not an animation; use a name that ends in .gif, .apng or .webp."
        )
    if format == "WEBP":
        frames = [frame.convert("RGB") for frame in frames]
    options = {"lossless": True} if format == "WEBP" else {"optimize": True}
    try:
        frames[0].save(path, format, save_all=True, append_images=frames[1:], duration=times,
                       loop=0, **options)  # fmt: skip
    except (OSError, ValueError) as error:
        raise UserError(f"The animation {path} could not be written: {error}.") from error


def _picture(trace: Trace, step: int, title: str, dpi: int) -> Image.Image:
    figure = plots.frame(trace, step, reveal=True, title=title)
    buffer = BytesIO()
    with plt.rc_context({"savefig.bbox": None}):  # so that all frames have the same size
        figure.savefig(buffer, format="png", dpi=dpi)
    plt.close(figure)
    return Image.open(buffer).convert("RGB")


def _one_palette(pictures: list[Image.Image]) -> Image.Image:
    """A picture with a palette for all frames, taken from the first, a middle and the last one."""
    chosen = [pictures[0], pictures[len(pictures) // 2], pictures[-1]]
    width, height = chosen[0].size
    sheet = Image.new("RGB", (width, height * len(chosen)))
    for i, picture in enumerate(chosen):
        sheet.paste(picture, (0, i * height))
    return sheet.quantize(COLOURS, Image.Quantize.MAXCOVERAGE)  # this method keeps white pure
