"""The look of all figures in the course.

The colours are those of Okabe and Ito, which colour-blind readers can tell apart. A colour means
the same thing in every figure.
"""

import matplotlib.pyplot as plt
import seaborn as sns

INK, FAINT, PAPER = "#222222", "#9a9a9a", "#ffffff"
RIGHT, WRONG, CHANGED, HALT = "#0072b2", "#d55e00", "#f5d76e", "#009e73"
CLUE_PAPER, DIFFERS, FOCUS = "#ececec", "#cc79a7", "#0b6fd8"

# The networks that the lessons compare, by the names they have there.
NETWORKS = {
    "one pass, 2 blocks": "#7a7a7a",
    "one pass, 16 blocks": INK,
    "token by token": "#e69f00",
    "tied": "#56b4e9",
    "HRM": DIFFERS,
    "TRM": RIGHT,
}


def use_style() -> None:
    """Give all figures drawn from now on the look of the course."""
    sns.set_theme(style="ticks", context="notebook", palette="colorblind")
    plt.rcParams.update(
        {
            "figure.dpi": 100,
            "savefig.dpi": 150,
            "savefig.bbox": "tight",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlelocation": "left",
            "axes.titlesize": "medium",
            "legend.frameon": False,
        }
    )
