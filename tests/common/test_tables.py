"""Tables: columns line up, whatever stands in them."""

from trm_lite.common.tables import columns, markdown


def test_columns_are_as_wide_as_their_widest_cell():
    rows = [("trm", "5,028,866", "the network"), ("hrm", 7), ("a longer name", "19", "")]
    assert columns(rows, ("name", "size"), align="<>", indent="  ").splitlines() == [
        "  name                size",
        "  trm            5,028,866  the network",
        "  hrm                    7",
        "  a longer name         19",
    ]


def test_no_rows_are_no_lines():
    assert columns([]) == ""
    assert columns([], ("name", "size")) == "name  size"


def test_a_markdown_table_says_how_columns_are_aligned():
    assert markdown([("a|b", 1), ("", "")], ("name", "size"), align="<>").splitlines() == [
        "| name | size |",
        "|---|---:|",
        "| a&#124;b | 1 |",
        "|  |  |",
    ]
