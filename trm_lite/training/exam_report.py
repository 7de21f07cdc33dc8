"""The results of an exam as text."""

from collections.abc import Callable

from trm_lite.common.tables import columns
from trm_lite.evaluation.scoring import Share

DIFFERENCES = {
    "start": "each from another start",
    "noise": "each with other noise",
    "guise": "the puzzle in another guise each",
}
CHOICES = {
    "halting": "the most confident one",
    "residual": "the one with the most settled logits",
    "latent": "the one with the most settled latents",
    "majority": "the most frequent answer",
    "any": "a right one",
}


def exam_text(exam: dict) -> str:
    """The results of `examine_run` as text."""

    def shown(measured: dict) -> str:
        return str(Share(**{name: measured[name] for name in Share._fields}))

    if "pass_at" in exam:
        rows = [(f"K = {k}", shown(at)) for k, at in exam["pass_at"].items()]
        return "\n".join([_vote_title(exam), *([columns(rows, indent="  ")] if rows else [])])
    lines = [
        f"{exam['preset']}: {exam['puzzles']} {exam['split']} puzzles, "
        "solved exactly [95 % interval]"
    ]
    if exam["noise"]:
        lines.append(f"  with noise of {exam['noise']} on {exam['noisy']}")
    if exam["halt"]:
        lines.append("  each puzzle halts by itself and keeps its answer")
    if exam["tries"] > 1:
        differ, chosen = DIFFERENCES[exam["vary"]], CHOICES[exam["choose"]]
        lines.append(f"  {exam['tries']} attempts, {differ}; {chosen} counts")
    last = list(exam["exact_by_step"])[-1]
    rows = [
        (
            f"after {step:{len(str(last))}} supervision step{'s' if step > 1 else ''}",
            shown(measured),
        )
        for step, measured in exam["exact_by_step"].items()
    ]
    halting = exam["when_halting"]
    pace = f"after {halting['mean_steps']:.2f} steps on average"
    rows.append(("when it halts itself", shown(halting), pace))
    for choice, measured in exam.get("exact_by_choice", {}).items():
        rows.append((f"if {CHOICES[choice]} counts", shown(measured)))
    for name, when in (("any_valid", ""), ("any_valid_when_halting", ", when it halts itself")):
        if name in exam:
            rows.append((exam["valid_is"] + when, shown(exam[name])))
    lines.append(columns(rows, indent="  "))
    if "bands" in exam:
        lines.append(f"By difficulty, after {last} steps:")
        lines.append(columns(_band_rows(exam, shown), indent="  "))
    return "\n".join(lines)


def _band_rows(exam: dict, shown: Callable[[dict], str]) -> list[tuple[str, ...]]:
    """The lines of the bands of difficulty: exact match and, where rules are known, validity."""
    valid = exam.get("bands_any_valid", {})
    return [
        (name, shown(it), f"of {it['count']}")
        + ((f"{exam['valid_is']} {shown(valid[name])}",) if name in valid else ())
        for name, it in exam["bands"].items()
    ]


def _vote_title(exam: dict) -> str:
    """What a vote on ARC was about, and what of it could not be scored."""
    if "exact" in exam:
        title = f"{exam['preset']}: {exam['exact']['count']} tasks, solved within K tries"
        left = f"\n  ({exam['unanswered']} test inputs without a known answer are not scored)"
        return f"{title} [95 % interval]" + (left if exam.get("unanswered") else "")
    said = f"{exam['preset']}: nothing can be scored, because no answer to the {exam['tasks']} "
    said += "tasks is known"
    return said + (f"; the predictions are in {exam['submission']}" if "submission" in exam else "")
