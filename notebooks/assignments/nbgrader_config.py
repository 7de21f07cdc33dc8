"""For schools with nbgrader: lay this beside `source/`, with each master in `source/NAME/`."""

c = get_config()  # noqa: F821 (nbgrader provides it)

c.ClearSolutions.code_stub = {
    "python": 'raise NotImplementedError("This exercise is waiting for your code.")'
}
c.ClearSolutions.text_stub = "*Your answer, in your own words.*"
c.ExecutePreprocessor.timeout = 300  # seconds a cell; assignment 4 trains a network
