"""Which values can be computed once for several players, checked without torch."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganzoo import config
from ganzoo.config import static
from ganzoo.registry import Registry
from tests.core.graphs import Model


@pytest.mark.parametrize(
    "text",
    [
        "share: [fake]",
        "share: [z]",
        "share: [fake, z]",
        "share: []\nplayers: {D: {repeat: 5}}",
        "share: [fake]\nplayers: {G: {}, D: {repeat: 5}}",
        "share: [fake]\nplayers: {G: {repeat: 2}, D: {}}",
        "share: [fake]\nplayers: {G: {every: 5}}",
        "share: [fake]\nplayers: {D: {batch: 64}}",
        "share: [seen]\nflow: {seen: D(real)}",
        "share: [code]\nparts: {E: encoder.e}\nflow: {code: E(label)}\nplayers: {D: {repeat: 2}}\nshow: [code]",
    ],
)
def test_what_can_be_shared(text: str, model: Model) -> None:
    assert not model.problems(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("players: {G: {batch: 8}, D: {batch: 8}}", "its users have batches of their own (8)"),
        ("players: {D: {repeat: 5}}", "player D repeats (m.yaml:3) with new batches before G uses its gradient"),
        ("players: {D: {trains: [D, G]}}", "D and G both train a part that produces it"),
        ("players: {G: {batch: 8}}", "its users have batches of different sizes (8, 64)"),
        (
            "parts: {E: encoder.e}\nflow: {fake: 'G(E(z))'}\nplayers: {E: {minimize: {l: adv.g(D(fake))}}}",
            "E and G both train a part that produces it",
        ),
        (
            "parts: {E: encoder.e}\nflow: {fake: G(E(z))}\n"
            "players: {D: {}, E: {minimize: {l: 'adv.g(E(real))'}}, G: {}}",
            "player E steps one of its producers before G uses its gradient",
        ),
        (
            "parts: {E: encoder.e}\nflow: {c: E(z), fake: G(c)}\nplayers: {E: {minimize: {l: 'adv.g(c)'}}}",
            "E and G both train a part that produces it",
        ),
    ],
    ids=[
        "own-batches",
        "repeat",
        "two owners",
        "sizes",
        "two owners inside",
        "stepped between",
        "an owner of what it is made of",
    ],
)
def test_what_cannot_be_shared(text: str, reason: str, model: Model) -> None:
    problem = model.one(f"share: [fake]\n{text}")
    assert problem.startswith(f"m.yaml:2: share: fake cannot be shared: {reason}")
    other = ", or `update: simultaneous`" if reason.startswith("E and G") else ""
    assert problem.endswith(f"(write `share: []` to compute it afresh each turn{other})")


def test_several_players_may_train_what_is_shared_if_they_update_simultaneously(model: Model) -> None:
    text = (
        "share: [fake]\nparts: {E: encoder.e}\nflow: {c: E(z), fake: G(c)}\n"
        "players: {E: {minimize: {l: 'adv.g(c)', x: 'adv.g(D(fake))'}}}"
    )
    assert model.one(text).endswith("(write `share: []` to compute it afresh each turn, or `update: simultaneous`)")
    assert not model.problems(f"{text}\nupdate: simultaneous")


def test_a_step_in_between_does_not_matter_to_simultaneous_updates(model: Model) -> None:
    text = """
        share: [fake]
        parts: {E: encoder.e}
        flow: {fake: G(E(z))}
        players: {D: {}, E: {minimize: {l: "adv.g(E(real))"}}, G: {}}
        update: simultaneous
    """
    assert not model.problems(text)


def test_the_line_is_that_of_the_shared_value(model: Model) -> None:
    text = "share:\n  - z\n  - fake\nplayers: {D: {repeat: 2}}"
    problem = model.one(text)
    assert problem.startswith("m.yaml:4: share: fake")
    assert "write `share: [z]`" in problem


def test_each_phase_decides_for_itself(model: Model) -> None:
    text = """
        share: [fake]
        phases:
          first: {steps: 1, players: {G: {minimize: {adversarial: null, l: "adv.g(D(fake))"}}}}
          then: {steps: 1, players: {D: {repeat: 2}, G: {}}}
    """
    assert "player D repeats (m.yaml:5)" in model.one(text)
    assert not model.problems(text.replace("repeat: 2", "every: 2"))


PLAYERS = ["D", "G", "E"]
ALONE = """
data: data.labelled
parts: {G: generator.g, D: discriminator.d, E: encoder.e, Z: prior.p, adv: adversarial.a}
flow: {z: Z(n), code: E(z), fake: G(code)}
optimizer: optimizer.o
players:
"""


@settings(max_examples=60)
@given(
    order=st.lists(st.sampled_from(PLAYERS), min_size=1, max_size=3, unique=True),
    repeats=st.fixed_dictionaries(dict.fromkeys(PLAYERS, st.integers(1, 2))),
    uses=st.fixed_dictionaries(dict.fromkeys(PLAYERS, st.sampled_from(["fake", "code", "z"]))),
)
def test_what_can_be_shared_agrees_with_walking_the_players(
    graph_registry: Registry,
    tmp_path_factory: pytest.TempPathFactory,
    order: list[str],
    repeats: dict[str, int],
    uses: dict[str, str],
) -> None:
    """An independent account of the rule: walk the players in their order, as the loop does."""
    path = tmp_path_factory.getbasetemp() / "shared.yaml"
    lines = [f"  {p}: {{repeat: {repeats[p]}, minimize: {{a: 'adv.g({p}({uses[p]}))'}}}}" for p in order]
    path.write_text(ALONE + "\n".join(lines))
    spec = config.load(path, (), graph_registry)
    makers: dict[str, set[str]] = {"fake": {"E", "G"}, "code": {"E"}, "z": set()}
    users = [p for p in order if uses[p] == "fake"]
    owners = [p for p in order if p in makers[uses[p]]] if users else []
    possible = len(owners) < 2
    if len(owners) == 1:
        seen = False
        for player in order[: order.index(owners[0])]:
            seen |= player in users
            possible &= not (seen and (repeats[player] > 1 or player in makers["fake"]))
    assert (static.impossible_share("fake", spec.phases["train"], static.Graph(spec), spec) == "") == possible
