"""SimGAN: counts, local decisions, what the pool gives back, what self-regularisation holds, and the drawings."""

from __future__ import annotations

import torch
from ganzoo_simgan.data import DrawnClothes
from ganzoo_simgan.drawings import clothes
from ganzoo_simgan.history import HalfHistory
from ganzoo_simgan.networks import Discriminator, Refiner
from torch.nn.functional import cross_entropy

from ganzoo.model import explain
from ganzoo.parallel import draw
from tests.zoo import small, tensors, trainer


def test_the_networks_for_hands_have_the_papers_first_filter_and_blocks() -> None:
    assert explain.count(Refiner(1, 1, blocks=10, kernel=7)) == 741_825
    assert Refiner(1, 1, blocks=10, kernel=7, width=4)(torch.rand(2, 1, 9, 8)).shape == (2, 1, 9, 8)


def test_every_place_decides_on_its_own_patch() -> None:
    network = Discriminator(1, width=6)
    assert network(torch.rand(1, 1, 35, 55)).logit.shape == (1, 1, 9, 14)
    with torch.no_grad():  # all that a place sees then reaches it
        for parameter in network.parameters():
            parameter.fill_(1.0)
        network.head.weight[1] = 0.0
    network.body[4] = torch.nn.AvgPool2d(3, 1, 1)
    x = torch.rand(1, 1, 35, 55, requires_grad=True)
    network(x).logit[0, 0, 4, 7].backward()
    assert x.grad is not None
    rows, columns = (x.grad[0, 0].abs().sum(axis).nonzero().flatten() for axis in (1, 0))
    assert len(rows) == len(columns) == rows.max() - rows.min() + 1 == 23


def test_the_logit_is_the_softmax_of_two_scores() -> None:
    network = Discriminator(1, width=6)
    out = network(torch.rand(2, 1, 28, 28))
    scores = network.head(out.features)
    real = cross_entropy(scores, torch.zeros(2, 7, 7, dtype=torch.long))
    torch.testing.assert_close(torch.nn.functional.softplus(-out.logit).mean(), real)


def pool_of(size: int, batches: list[torch.Tensor]) -> tuple[HalfHistory, list[torch.Tensor]]:
    pool, given = HalfHistory((1,), size).train(), []
    for step, batch in enumerate(batches):
        with draw.using(draw.Draws((0, step), torch.device("cpu"))):
            given.append(pool(batch))
    return pool, given


def test_half_of_a_batch_is_from_now_and_half_from_before() -> None:
    batches = [torch.arange(8.0)[:, None] + 100 * k for k in range(12)]
    pool, given = pool_of(16, batches)
    for new, mixed in zip(batches[:2], given[:2], strict=True):
        assert torch.equal(new, mixed)  # until it is full
    for k in range(2, 12):
        assert torch.equal(given[k][:4], batches[k][:4])
        assert (given[k][4:] < 100 * k).all()  # of earlier batches
        assert len(given[k][4:].unique()) == 4
    assert pool.count == 16
    assert len(pool.stored.unique()) == 16
    assert (pool.stored >= 1100).sum() == 4  # half of the last batch took places


def test_a_pool_smaller_than_half_a_batch_and_a_batch_larger_than_what_is_free() -> None:
    batches = [torch.arange(6.0)[:, None] + 100 * k for k in range(4)]
    pool, given = pool_of(2, batches)
    assert pool.count == 2
    assert (given[2][3:] < 200).all()
    pool, _ = pool_of(8, batches[:2])
    assert {0.0, 1.0, 2.0, 3.0, 4.0, 5.0} <= set(pool.stored.flatten().tolist())


def test_in_evaluation_samples_pass_and_nothing_is_stored() -> None:
    pool = HalfHistory((1,), 4).eval()
    x = torch.rand(6, 1)
    assert torch.equal(pool(x), x)
    assert pool.count == 0


def test_self_regularisation_alone_teaches_the_identity() -> None:
    model = small("simgan/drawn_clothes", **{"phases.self.steps": 80, "parts.R.width": 8, "optimizer.lr": 1e-2})
    made = trainer(model)
    for _ in range(80):
        made.advance()
    assert made.meters.read()["R.self"] < 0.25  # from 0.5 of uniform noise


def test_phases_train_the_refiner_then_the_judge_then_both() -> None:
    made = trainer(small("simgan/drawn_clothes"))
    changed = []
    for _ in range(6):
        before = tensors(made.parts, "R", "D")
        made.advance()
        after = tensors(made.parts, "R", "D")
        changed.append({name[0] for name in before if not torch.equal(before[name], after[name])})
    assert changed == [{"R"}, {"R"}, {"D"}, {"D"}, {"R", "D"}, {"R", "D"}]


def test_drawings_are_the_same_every_time_and_their_classes_differ() -> None:
    images, labels = clothes(20, seed=0)
    again, _ = clothes(20, seed=0)
    assert (images == again).all()
    assert labels.tolist() == list(range(10)) * 2
    assert (images[:10] != images[10:]).any(axis=(1, 2, 3)).all()  # measures vary
    outlines = {(image > 0).tobytes() for image in images}
    assert len(outlines) == 20


def test_photographs_and_drawings_are_of_their_own_classes() -> None:
    data = DrawnClothes(drawings=30)
    rows = data.batch(torch.arange(12), torch.device("cpu"))
    assert rows["label_a"].tolist() == [k % 10 for k in range(12)]
    assert rows["real_b"].shape == (12, 1, 28, 28)
    photographs = data.photographs().load()
    place = (data.arrays["real_b"] == data.arrays["real_b"][3]).all(axis=(1, 2, 3)).argmax()
    assert data.arrays["label_b"][place] == photographs["label"][3]
    test = data.held_out()
    assert test is not None and len(test) == 2000
