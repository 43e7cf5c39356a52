"""Equations of docstrings as TeX."""

from __future__ import annotations

import pytest

from ganzoo.pages import formula


@pytest.mark.parametrize(
    ("text", "tex"),
    [
        ("e = E[real]", r"e=\mathbb{E}[\mathrm{real}]"),
        ("y = x - R(x)", "y=x-R(x)"),
        ("d = E[max(0, 1 - real)]", r"d=\mathbb{E}[\max (0,1-\mathrm{real})]"),
        ("h = lrelu(A x)", r"h=\operatorname{lrelu}(A\,x)"),
        ("a = 1/2 b^2", r"a=\tfrac{1}{2}\,b^{2}"),
        ("w = z / sqrt(z^2)", r"w=z/\sqrt{z^{2}}"),
        ("s = sum_k p_k q_k", r"s=\sum_{k}\,p_{k}\,q_{k}"),
        ("p = `target` - 10 log10(x)", r"p=\mathtt{target}-10\,\log_{10}(x)"),
        (
            "d = E[fake],  g = -E[fake]",
            "\\begin{aligned}\nd&=\\mathbb{E}[\\mathrm{fake}] \\\\\ng&=-\\mathbb{E}[\\mathrm{fake}]\n\\end{aligned}",
        ),
    ],
)
def test_an_equation(text: str, tex: str) -> None:
    assert formula.tex(text) == tex


@pytest.mark.parametrize(
    "text",
    [
        "The mean of all samples.",
        "``saturating: false`` has g = E[softplus(-fake)] in its place.",
        "With N samples in the reference batch, a mean = m and no more",
        "a = (b",
        "prices in $ = 3",
    ],
)
def test_prose_is_left_alone(text: str) -> None:
    assert formula.tex(text) is None


def test_an_equation_ends_where_prose_begins() -> None:
    tex, rest = formula.split("d = |m - n|^2, with mean m of the first and mean n of the second, in float64")
    assert tex == "d=|m-n|^{2}"
    assert rest == "with mean m of the first and mean n of the second, in float64"
    assert formula.split("Nothing here is equal.") == (None, "Nothing here is equal.")
    assert formula.split("y = x. It does nothing.") == ("y=x", "It does nothing.")
