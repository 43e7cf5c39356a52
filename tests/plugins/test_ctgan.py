"""CTGAN: columns and back, modes, rare categories, choices, packs, and what the measures say of good and bad rows."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from ganzoo_ctgan.chosen import Chosen
from ganzoo_ctgan.data import Penguins, Table
from ganzoo_ctgan.measures import Marginals, TableTstr
from ganzoo_ctgan.mixture import fit
from ganzoo_ctgan.networks import Discriminator, Generator

import ganzoo
from ganzoo.data.fields import Field
from ganzoo.errors import UserError
from ganzoo.run.inputs import write

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def penguins() -> Penguins:
    return Penguins()


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "t.csv"
    rows = [f"{k % 7},{0.5 * (k % 3)},{'rare' if k % 50 == 0 else 'often'}" for k in range(200)]
    path.write_text("\n".join(["a,b,kind", *rows, "3,,often"]) + "\n")
    return path


def test_two_modes_are_found_and_idle_ones_left_out() -> None:
    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(-5, 0.5, 700), random.normal(5, 1, 300)])
    modes = fit(values, 10)
    assert abs(modes.weight.sum() - 1) < 1e-9
    low = modes.mean < 0
    assert abs(modes.weight[low].sum() - 0.7) < 0.01
    assert abs((modes.mean * modes.weight)[low].sum() / modes.weight[low].sum() + 5) < 0.1
    assert len(fit(np.full(10, 3.0), 10).mean) == 1
    rho = modes.responsible(values)
    assert np.allclose(rho.sum(1), 1)


def test_rows_become_numbers_and_cells_again(penguins: Penguins) -> None:
    back = penguins.code.decode(penguins.rows)
    train = penguins.order[0]
    for column in penguins.code.categories:
        assert (back[column.name] == penguins.cells[column.name][train]).all()
    for column in penguins.code.numbers:
        true = penguins.cells[column.name][train].astype(float)
        assert np.abs(back[column.name] - true).mean() < 0.05 * true.std()  # what is cut off lies beyond 4 deviations
    assert back["body_mass_g"].dtype == np.int64


def test_a_row_is_made_of_blocks(penguins: Penguins) -> None:
    blocks = penguins.fields["real"].blocks
    assert sum(blocks) == penguins.fields["real"].shape[0]
    for rows, size in zip(np.split(penguins.rows, np.cumsum(blocks)[:-1], axis=1), blocks, strict=True):
        if size > 1:
            assert (rows.sum(1) == 1).all() and ((rows == 0) | (rows == 1)).all()


def test_conditions_mark_one_value_that_the_row_has(penguins: Penguins) -> None:
    for data in (penguins, penguins.held_out()):
        assert data is not None
        batch = data.batch(torch.arange(len(data)), CPU)
        real, cond = batch["real"], batch["cond"]
        assert (cond.sum(1) == 1).all()
        assert ((real[:, -cond.shape[1] :] * cond).sum(1) == 1).all()
    assert len(penguins.rows) + len(penguins.held_out().rows) == 333  # type: ignore[union-attr]


def test_rare_values_are_drawn_by_the_logarithm_of_their_count(csv: Path) -> None:
    data = Table(csv, holdout=0.0)
    assert data.held_out() is None
    assert [c.name for c in data.code.categories] == ["kind"]
    share = data.arrays["cond"][:, 1].mean()  # often, rare by name
    assert share == pytest.approx(math.log(5) / (math.log(5) + math.log(197)), abs=0.04)  # 4 and 196 rows


def test_a_table_says_what_is_wrong_with_it(csv: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no column 'knd'.*kind"):
        _ = Table(csv, target="knd").fields
    with pytest.raises(UserError, match="no category"):
        _ = Table(csv, leave_out=("kind",)).fields
    with pytest.raises(UserError, match="there is no table"):
        _ = Table(tmp_path / "none.csv").fields
    with pytest.raises(UserError, match="target: COLUMN"):
        Table(csv).labelled()
    assert Table(csv, categories=("a",)).code.choices == (7, 2)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        ("name\nKöln\n".encode("latin-1"), "not UTF-8"),
        (b"a;kind\n1;x\n", "separates its cells by semicolons"),
        (b"a,kind\n1,x\n2,x,y\n", r"own.csv:3 has 3 cells, but there are 2 columns"),
        (b"a,a\n1,x\n", "several columns of one name: a"),
        (b"a,kind\n1,\n,x\n,y\n", r"no row without an empty cell \(empty cells: a 2, kind 1\)"),
    ],
)
def test_a_file_that_is_no_table_is_told(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_bytes(content)
    with pytest.raises(UserError, match=said):
        _ = Table(tmp_path / "own.csv").fields


def test_names_that_each_row_has_for_itself_are_no_category(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("name,kind,note\n" + "".join(f"p{i},{'ab'[i % 2]},\n" for i in range(120)))
    with pytest.raises(UserError, match=r"empty cells: note 120\); leave a column out: `leave_out: \[note\]`"):
        _ = Table(path).fields
    with pytest.raises(UserError, match=r"the column name is no category: it has 120 different values in 120 rows"):
        _ = Table(path, leave_out=("note",)).fields
    assert Table(path, leave_out=("note", "name")).fields["real"].shape == (2,)


def test_a_spreadsheets_table_is_read_and_rows_left_out_are_counted(tmp_path: Path) -> None:
    rows = "".join(f"{k},{'N/A' if k % 4 == 0 else 'ab'[k % 2]}\n" for k in range(40))
    (tmp_path / "own.csv").write_bytes(f"\ufeffsize,kind\n{rows}\n".encode())
    table = Table(tmp_path / "own.csv", target="kind")
    assert list(table.cells) == ["size", "kind"] and len(table.cells["size"]) == 30
    (found,) = table.doctor()
    assert "10 of 40 rows are left out for an empty cell; empty cells: kind 10" in str(found)
    assert Table(tmp_path / "own.csv", leave_out=("size",), holdout=0.0).diagnose()


def test_choices_are_probabilities_and_numbers_bounded() -> None:
    made = Generator(5, (6,), out_blocks=(1, 3, 2), hidden=(8,)).train()(torch.randn(64, 5))
    number, first, second = made.row.split([1, 3, 2], 1)
    assert number.abs().max() < 1
    torch.testing.assert_close(first.sum(1), torch.ones(64))
    torch.testing.assert_close(second.sum(1), torch.ones(64))
    assert (first.max(1).values > 0.9).float().mean() > 0.5  # the temperature is low
    with pytest.raises(ValueError, match="blocks of 5 numbers do not make a row of 6"):
        Generator(5, (6,), out_blocks=(5,))


def test_a_choice_is_drawn_as_often_as_its_logits_say() -> None:
    network = Generator(1, (3,), out_blocks=(3,), hidden=()).eval()
    with torch.no_grad():
        network.out.weight.zero_()
        network.out.bias.copy_(torch.tensor([0.5, 0.3, 0.2]).log())
    torch.manual_seed(0)
    drawn = network(torch.zeros(4000, 1)).row.argmax(1).bincount(minlength=3) / 4000
    torch.testing.assert_close(drawn, torch.tensor([0.5, 0.3, 0.2]), atol=0.03, rtol=0)


def test_the_loss_is_that_of_the_marked_value_alone() -> None:
    logits = torch.tensor([[9.0, 1.0, 2.0, 0.0, 0.0, 3.0]])
    cond = torch.tensor([[0.0, 1.0, 0.0, 0.0, 0.0]])
    expected = -torch.tensor([1.0, 2.0]).log_softmax(0)[1]
    torch.testing.assert_close(Chosen((2, 3))(logits, cond), expected)


def test_the_critic_sees_as_many_rows_as_it_packs() -> None:
    network = Discriminator((2,), hidden=(4,), pack=3, dropout=0.0)
    x = torch.randn(5, 2, requires_grad=True)
    network(x).logit[3].backward()
    assert x.grad is not None
    assert x.grad.abs().sum(1).gt(0).tolist() == [True, False, False, True, True]


def test_real_rows_teach_and_rows_without_meaning_do_not(penguins: Penguins) -> None:
    learnt, marginals = TableTstr(penguins, epochs=1, least=60), Marginals(penguins)
    real = torch.from_numpy(penguins.rows)
    assert learnt(real).values["ratio"] == 1.0  # type: ignore[index]
    assert marginals(real).values["numbers"] == marginals(real).values["categories"] == 0.0  # type: ignore[index]
    shuffled = torch.stack([column[torch.randperm(len(column))] for column in real.T], 1)
    assert learnt(shuffled).values["tstr"] < 0.75  # type: ignore[index]
    assert marginals(real[:40]).values["categories"] > 0.02  # type: ignore[index]


@pytest.fixture(scope="module")
def made() -> ganzoo.Run:
    return ganzoo.open(Path(__file__).parents[2] / "weights" / "ganzoo_weights" / "files" / "ctgan" / "penguins")


def test_a_field_reads_rows_as_the_table_has_them(penguins: Penguins) -> None:
    field = Field.from_json(json.loads(json.dumps(penguins.fields["real"].to_json())))
    assert field == penguins.fields["real"]
    cells = field.cells(torch.from_numpy(penguins.rows))
    assert list(cells) == list(penguins.cells), "in the order of the file"
    train = penguins.order[0]
    assert (cells["species"] == penguins.cells["species"][train]).all()
    near = np.isclose(cells["bill_length_mm"], penguins.cells["bill_length_mm"][train].astype(float), atol=1e-9)
    assert near.mean() > 0.95  # all but what lies beyond 4 deviations of its mode comes back to the last place


def test_numbers_have_as_many_places_as_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b,c,kind\n" + "".join(f"{k}.0,{k / 8},{k}e-3,x\n" for k in range(9)))
    of = {column.name: column.decimals for column in Table(path).fields["real"].columns}
    assert of == {"a": 0, "b": 3, "c": None, "kind": None}


def test_conditions_are_given_by_name_and_drawn_as_often_as_in_the_table(penguins: Penguins) -> None:
    cond = penguins.fields["cond"]
    names = [f"{c.name}={v}" for c in cond.columns for v in c.values]
    assert [cond.vector(name).argmax().item() for name in names] == list(range(11))
    assert cond.vector("SEX = Male").equal(cond.vector("sex=male"))
    drawn = cond.draw(4000, torch.Generator().manual_seed(0))
    assert (drawn.sum(1) == 1).all()
    share = (penguins.cells["species"][penguins.order[0]] == "Chinstrap").mean() / 4
    assert drawn[:, names.index("species=Chinstrap")].mean().item() == pytest.approx(share, abs=0.015)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("species=Adele", r"species is never 'Adele' \(did you mean 'Adelie'\?\)"),
        ("specie=Adelie", r"no category 'specie' \(did you mean 'species'\?\)"),
        ("body_mass_g=4000", r"no category 'body_mass_g' \(there are island, sex, species, year\)"),
        ("male", "such as sex=male"),
        ("species=Adelie,sex=male", "asks for several values"),
    ],
)
def test_what_is_no_condition_is_told(penguins: Penguins, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        penguins.fields["cond"].vector(text)


def test_a_trained_model_makes_a_table(made: ganzoo.Run, tmp_path: Path) -> None:
    table = made.table(64, cond="species=Gentoo")
    assert list(table) == list(Penguins().cells) and {len(column) for column in table.values()} == {64}
    assert (table["species"] == "Gentoo").mean() > 0.9
    assert table["body_mass_g"].dtype == np.int64 and 3500 < table["body_mass_g"].mean() < 6500
    assert (made.table(64)["species"] == "Gentoo").mean() < 0.6, "conditions are drawn where none are given"
    rows = made.sample(64, cond=["species=Gentoo"] * 64)
    assert write(rows, tmp_path / "t.csv", made.fields, (-1.0, 1.0), []) == [tmp_path / "t.csv"]
    read = Table(tmp_path / "t.csv", target="species").cells  # a made table is a table again
    assert {k: v.tolist() for k, v in read.items()} == {k: list(map(str, v.tolist())) for k, v in table.items()}
    with pytest.raises(UserError, match='write cond="species=…"'):
        made.table(4, species="Adelie")
    with pytest.raises(UserError, match="no row of a table"):
        made.table(4, value="cond")


@pytest.mark.parametrize(
    "changed",
    [
        {"start": 60},
        {"start": -1},
        {"values": []},
        {"centres": [float("nan")], "widths": [1.0], "values": []},
        {"x": 1},
    ],
)
def test_columns_that_are_none_are_refused(penguins: Penguins, changed: dict[str, object]) -> None:
    stored = penguins.fields["cond"].to_json()
    stored["columns"] = [{**stored["columns"][0], **changed}]
    with pytest.raises(ValueError, match=r"column|shape"):
        Field.from_json(stored)
