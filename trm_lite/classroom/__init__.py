"""Lessons and assignments: run the course; build, check and grade what a class hands in.

`assignment` reads a master notebook, `submissions` finds what students wrote, `kernel` runs cells
within limits, `grading` puts the three together, `pages` writes what came out for people. `course`
runs the lessons, `lesson_page` writes one for readers, `figures` takes the pictures out; their web
pages are in `templates/`.
The markers and the metadata are nbgrader's (schema 3), so that a school can use either.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "exercises": ["check", "seed_of", "when_solved"],
        "lessons": ["by_profile", "results_file", "show"],
    },
)
