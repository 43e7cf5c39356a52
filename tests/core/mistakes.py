"""Mistakes that people make in configs, each with the line, the path and the advice of the answer.

Run as a program it answers the static ones, in one process, and says whether torch was imported.
"""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

BASE = """
    # A small model of points that is right
    data: {use: data.circle, points: 100}
    parts:
      Z: {use: prior.normal, size: 3}
      G: {use: generator.mlp, hidden: [8]}
      D: {use: discriminator.mlp, hidden: [8]}
      adv: adversarial.nonsaturating
      l1: loss.l1
      fit: metric.circle
    flow:
      z: Z(n)
      fake: G(z)
    players:
      D:
        minimize:
          adversarial: adv.d(D(real), D(fake))
      G:
        minimize:
          adversarial: adv.g(D(fake), D(real))
          near: 0.1 * l1(fake, real)
    share: [fake]
    optimizer: {use: optimizer.adam, lr: 1.0e-3}
    show: [fake]
    evaluate: {values: {circle: fit(fake)}}
    train: {steps: 10, batch: 4}
"""


class Mistake(NamedTuple):
    """What is written below ``extends: base`` (so that its first line is line 2), or on the command line, line 0."""

    name: str
    text: str
    line: int
    path: str
    says: str
    overrides: Any = ()


STATIC = [
    # YAML
    Mistake("tab", "train:\n\tsteps: 3", 3, "", "a tab in the indentation (indent with spaces)"),
    Mistake("colon missing", "train\n  steps: 3", 2, "", "a ':' is missing after this key"),
    Mistake("colon too many", "train:\n  device: cuda: 0", 3, "", "quote a text that holds ': '"),
    Mistake("indentation", "train:\n  steps: 3\n batch: 4", 4, "", "the indentation does not fit the lines above"),
    Mistake("bracket open", "parts:\n  G: {hidden: [8, 8}", 3, "", "expected ',' or ']'"),
    Mistake("star", "flow:\n  fake: *G(z)", 3, "", "quote a text that begins with *"),
    Mistake("key twice", "flow:\n  a: G(z)\n  a: D(z)", 4, "flow.a", "'a' is given twice, first on line 3"),
    Mistake(
        "python tag", "train: !!python/name:os.system x", 2, "train", "the tag !!python/name:os.system is not allowed"
    ),
    Mistake("hash", "parts:\n  G: {init: 695e0514}", 3, "parts.G.init", "quote it if it is a text"),
    Mistake(
        "torn by a comma",
        "players:\n  D: {minimize: {adversarial: adv.d(D(real), D(fake))}}",
        3,
        "players.D.minimize.adversarial",
        "an unquoted comma inside brackets tears `adv.d(D(real), D(fake))` apart (quote it, or use block style)",
    ),
    Mistake("required", "data: {use: data.circle, points: '???'}", 2, "data.points", "give it: data.points=…"),
    # keys
    Mistake("top-level key", "trian: {steps: 3}", 2, "trian", "did you mean 'train'?"),
    Mistake("training key", "train:\n  bacth: 3", 3, "train.bacth", "did you mean 'batch'?"),
    Mistake("nested key", "train: {keep: {lats: 3}}", 2, "train.keep.lats", "did you mean 'last'?"),
    Mistake("player key", "players:\n  G:\n    minimise: {a: x}", 4, "players.G.minimise", "did you mean 'minimize'?"),
    Mistake(
        "term key",
        "players: {G: {minimize: {near: {of: l1(fake, real), wieght: 2}}}}".replace(
            "l1(fake, real)", "'l1(fake, real)'"
        ),
        2,
        "players.G.minimize.near.wieght",
        "did you mean 'weight'?",
    ),
    Mistake("evaluation key", "evaluate: {evry: 3}", 2, "evaluate.evry", "did you mean 'every'?"),
    Mistake("about key", "about: {titel: x}", 2, "about.titel", "did you mean 'title'?"),
    Mistake(
        "phase key",
        "train: {steps: null}\nphases: {a: {step: 3, steps: 3}}",
        3,
        "phases.a.step",
        "did you mean 'steps'?",
    ),
    # types
    Mistake("text for a number", "train: {steps: many}", 2, "train.steps", "'many' should be a whole number"),
    Mistake("quoted number", "train: {batch: '4'}", 2, "train.batch", "write it without quotes"),
    Mistake("truth for a number", "train: {steps: true}", 2, "train.steps", "true should be a whole number"),
    Mistake("fraction", "train: {batch: 0.5}", 2, "train.batch", "0.5 should be a whole number"),
    Mistake("literal", "train: {precision: bf61}", 2, "train.precision", "did you mean 'bf16'?"),
    Mistake(
        "yes for true", "train: {sync_batch_norm: yes}", 2, "train.sync_batch_norm", "'yes' should be true or false"
    ),
    Mistake("players in a list", "players: [D, G]", 2, "players", "write `name: …` lines, not a list"),
    Mistake("parts in a list", "parts:\n  - G: generator.mlp", 2, "parts", "write `name: …` lines, not a list"),
    Mistake(
        "terms in a list",
        "players:\n  G:\n    minimize:\n      - adv.g(D(fake))",
        4,
        "players.G.minimize",
        "write `name: …` lines, not a list",
    ),
    Mistake("a mapping of settings", "train: 10", 2, "train", "10 should be a mapping (of steps, batch"),
    Mistake("number for an expression", "flow: {fake: 3}", 2, "flow.fake", "3 should be an expression"),
    Mistake("name for a list", "share: {fake: yes}", 2, "share", "should be a list of names"),
    Mistake("update", "update: simultanous", 2, "update", "did you mean 'simultaneous'?"),
    # components
    Mistake("component", "parts:\n  D: discriminator.mpl", 3, "parts.D", "did you mean 'discriminator.mlp'?"),
    Mistake("kind", "parts:\n  D: discriminater.mlp", 3, "parts.D", "did you mean 'discriminator.mlp'?"),
    Mistake("no kind", "parts:\n  adv: hinge", 3, "parts.adv", "did you mean 'adversarial.hinge'?"),
    Mistake("no use", "parts:\n  E: {width: 3}", 3, "parts.E", "does not say which component to use"),
    Mistake("number for a component", "parts: {G: 3}", 2, "parts.G", "such as generator.NAME"),
    Mistake(
        "wrong kind of data",
        "data: generator.mlp",
        2,
        "data",
        "generator.mlp is a generator, but a data component is needed",
    ),
    Mistake(
        "wrong kind of part", "parts: {G: optimizer.adam}", 2, "parts.G", "is an optimizer, which cannot stand here"
    ),
    Mistake(
        "wrong kind below with",
        "parts: {D: {with: {l: loss.l1}}}",
        2,
        "parts.D.with.l",
        "but a regularizer or an augment",
    ),
    Mistake("optimizer", "optimizer: optimizer.adm", 2, "optimizer", "did you mean 'optimizer.adam'"),
    Mistake("schedule", "schedule: schedule.liner", 2, "schedule", "did you mean 'schedule.linear'?"),
    Mistake("no optimizer", "optimizer: null", 2, "optimizer", "no optimizer is given (write `optimizer: optimizer."),
    Mistake("plugin", "parts: {G: 'acme:generator.unet'}", 2, "parts.G", "the plugin 'acme' is not installed"),
    Mistake("required plugin", "requires: [ganzoo-sr>=2]", 2, "requires", "pip install 'ganzoo-sr>=2'"),
    # expressions
    Mistake("sum", "flow:\n  fake: G(z) + G(z)", 3, "flow.fake", "own entry under `minimize:`"),
    Mistake("number behind", "flow: {a: fake * 2}", 2, "flow.a", "it stands in front: `10 * l1(x, y)`"),
    Mistake("index", "flow: {a: 'D(fake)[0]'}", 2, "flow.a", "write `D(x).features`"),
    Mistake("bracket", "flow:\n  fake: G(z", 3, "flow.fake", "brackets do not match"),
    Mistake("part as a value", "flow: {fake: G}", 2, "flow.fake", "call it: G(…)"),
    Mistake("value as a part", "flow: {fake: z(z)}", 2, "flow.fake", "'z' is a value and cannot be called"),
    Mistake("unknown value", "flow:\n  fake: G(zz)", 3, "flow.fake", "did you mean 'z'?"),
    Mistake("unknown part", "flow: {fake: g(z)}", 2, "flow.fake", "did you mean 'G'?"),
    Mistake(
        "loss not declared", "flow: {a: 'mse(fake, real)'}", 2, "flow.a", "declare it: `mse: loss.mse` under parts:"
    ),
    Mistake("op misspelt", "flow: {fake: G(stpo(z))}", 2, "flow.fake", "did you mean 'stop'?"),
    Mistake("hole alone", "flow: {a: 'l1(_, real)'}", 2, "flow.a", "`_` alone is no function"),
    Mistake("field of a field", "flow: {a: real.mean}", 2, "flow.a", "'real' is a data field"),
    Mistake("name of a field", "flow: {real: G(z)}", 2, "flow.real", "choose another name"),
    Mistake("reserved name", "flow: {n: G(z)}", 2, "flow.n", "'n' stands for the batch size"),
    Mistake("keyword", "flow: {in: G(z)}", 2, "flow.in", "'in' is not a name"),
    # the graph
    Mistake("circle", "flow:\n  fake: G(back)\n  back: G(fake)", 3, "flow.fake", "fake -> back -> fake"),
    Mistake(
        "trains no part", "players:\n  G:\n    trains: [H]", 4, "players.G.trains", "there are D, G, Z, adv, fit, l1"
    ),
    Mistake(
        "not reached",
        "players:\n  G:\n    trains: [G, Z, fit]",
        4,
        "players.G.trains",
        "trains fit, but none of its terms",
    ),
    Mistake("impossible share", "players: {D: {repeat: 5}}", 21, "share", "(write `share: []` to compute it afresh"),
    Mistake("unknown share", "share: [fkae]", 2, "share", "did you mean 'fake'?"),
    Mistake("unknown sample", "sample: fkae", 2, "sample", "did you mean 'fake'?"),
    Mistake("unknown like", "parts: {G: {like: rael}}", 2, "parts.G.like", "did you mean 'real'?"),
    Mistake("trains nothing", "players:\n  G:\n    trains: []", 4, "players.G.trains", "this player trains nothing"),
    Mistake("lr_scale", "optimizer: {lr_scale: {Q: 2}}", 2, "optimizer.lr_scale", "which no player trains"),
    Mistake("best", "train: {keep: {best: G.adversrial}}", 2, "train.keep.best", "did you mean 'G.adversarial'"),
    Mistake("no metric", "evaluate: {values: {a: 'l1(fake, real)'}}", 2, "evaluate.values.a", "write `a: fit(fake)`"),
    # numbers
    Mistake("repeat", "players: {G: {repeat: 0}}", 2, "players.G.repeat", "0 should be at least 1"),
    Mistake("every", "players: {G: {minimize: {near: {every: 0}}}}", 2, "players.G.minimize.near.every", "at least 1"),
    Mistake("batch", "train:\n  steps: 10\n  batch: 0", 4, "train.batch", "0 should be at least 1"),
    Mistake(
        "accumulate", "train: {accumulate: 3}", 2, "train.accumulate", "a batch of 4 cannot be cut into 3 equal parts"
    ),
    Mistake(
        "decay", "players: {G: {ema: 1.1}}", 2, "players.G.ema.decay", "the decay is 1.1, but should lie in [0, 1)"
    ),
    Mistake("clip", "players: {G: {clip: 0}}", 2, "players.G.clip", "should be above 0"),
    Mistake(
        "weight",
        "players: {G: {minimize: {near: {weight: x}}}}",
        2,
        "players.G.minimize.near.weight",
        "there are schedule.",
    ),
    # phases
    Mistake("steps and phases", "phases: {a: {steps: 3}}", 25, "train.steps", "set phases.a.steps"),
    Mistake(
        "no such player",
        "train: {steps: null}\nphases: {a: {steps: 3, players: {g: {}}}}",
        3,
        "phases.a.players.g",
        "mean 'G'?",
    ),
    Mistake("phase without steps", "train: {steps: null}\nphases:\n  a: {}", 4, "phases.a", "write `steps: …`"),
    # merging
    Mistake("base misspelt", "extends: bsae", 1, "extends", "did you mean 'base.yaml'"),
    Mistake("nothing to delete", "parts:\n  g: null", 3, "parts.g", "there is no 'g' to delete (did you mean 'G'?)"),
    Mistake("interpolation", "train: {batch: '${train.stesp}'}", 2, "train.batch", "did you mean 'train.steps'"),
    # the command line
    Mistake("override of nothing", "", 0, "trian", "did you mean 'train'?", ["trian.steps=3"]),
    Mistake("override of a setting", "", 0, "train.stesp", "did you mean 'steps'?", ["train.stesp=3"]),
    Mistake("override without a value", "", 0, "", "write path=value", ["train.steps"]),
    Mistake("override of a part", "", 0, "parts.g", "did you mean 'G'?", ["parts.g.hidden=[4]"]),
    Mistake("override of a player", "", 0, "players.d.minimize", "did you mean 'D'?", ["players.d.repeat=2"]),
    Mistake(
        "override of a term",
        "",
        0,
        "players.G.minimize.naer",
        "did you mean 'near'?",
        ["players.G.minimize.naer.weight=2"],
    ),
    Mistake(
        "override of a component",
        "",
        0,
        "parts.adv",
        "did you mean 'adversarial.hinge'?",
        ["parts.adv=adversarial.hnige"],
    ),
    Mistake("override from Python", "", 0, "train.batch", "'x' should be a whole number", {"train.batch": "x"}),
]

LATE = [
    # what modules and tensors inherit
    *(
        Mistake(
            f"inherited {method}",
            f"players:\n  G:\n    minimize:\n      near: {method}",
            5,
            "players.G.minimize.near",
            f"G has no method '{method.split('(')[0].rpartition('.')[2]}'",
        )
        for method in ("G.zero_grad()", "G.requires_grad_(fake)", "G.float()", "G.share_memory()")
    ),
    Mistake("inherited field", "flow: {more: fake.data}\nshow: [more]", 2, "flow.more", "fake has no field 'data'"),
    # arguments
    Mistake(
        "argument",
        "parts:\n  G: {hiden: [8]}",
        3,
        "parts.G.hiden",
        "generator.mlp has no argument 'hiden' (did you mean 'hidden'?)",
    ),
    Mistake("argument's type", "parts:\n  G: {hidden: 8}", 3, "parts.G.hidden", "8 should be a list of whole numbers"),
    Mistake(
        "argument's items", "parts: {G: {hidden: [a]}}", 2, "parts.G.hidden", "['a'] should be a list of whole numbers"
    ),
    Mistake("argument's choice", "parts: {G: {activation: rleu}}", 2, "parts.G.activation", "did you mean 'relu'?"),
    Mistake(
        "argument's range",
        "parts:\n  adv: {smoothing: 2}",
        3,
        "parts.adv.smoothing",
        "2 should be a number of at least 0 and below 1",
    ),
    Mistake("size", "parts:\n  Z: {size: -4}", 3, "parts.Z.size", "-4 should be a whole number of at least 1"),
    Mistake("argument of data", "data:\n  points: 0", 3, "data.points", "0 should be a whole number of at least 1"),
    Mistake(
        "argument missing",
        "schedule:\n  use: schedule.exponential",
        3,
        "schedule",
        "schedule.exponential needs 'rate: float'",
    ),
    Mistake("an override's argument", "", 0, "parts.Z.sise", "did you mean 'size'?", ["parts.Z.sise=3"]),
    Mistake("learning rate", "optimizer: {lr: -1}", 2, "optimizer.lr", "Invalid learning rate: -1.0"),
    Mistake("betas", "optimizer:\n  betas: [0.5, 2]", 3, "optimizer.betas", "Invalid beta parameter"),
    Mistake("learning rate as text", "optimizer: {lr: fast}", 2, "optimizer.lr", "'fast' should be a number"),
    Mistake(
        "schedule of nothing", "schedule:\n  eta: schedule.linear", 3, "schedule.eta", "has no number 'eta' to schedule"
    ),
    Mistake(
        "schedule as a weight",
        "players: {G: {minimize: {near: {weight: {use: schedule.step, step_size: 3}}}}}",
        2,
        "players.G.minimize.near.weight",
        "schedules an optimizer, not a weight",
    ),
    # regularizers
    Mistake("no constraint", "players: {D: {after: {c: regularizer.r1}}}", 2, "players.D.after.c", "is no constraint"),
    Mistake(
        "constraint's range",
        "players:\n  D:\n    after:\n      c: {use: regularizer.clip_weights, bound: -1}",
        5,
        "players.D.after.c.bound",
        "-1 should be a number above 0",
    ),
    Mistake(
        "constraint on another's part",
        "players:\n  D:\n    after:\n      c: {use: regularizer.clip_weights, on: [G]}",
        5,
        "players.D.after.c.on",
        "D does not train 'G'",
    ),
    Mistake("no layer", "parts: {D: {with: {c: regularizer.r1}}}", 2, "parts.D.with.c", "cannot be put on a part"),
    # calls
    Mistake("too many", "flow:\n  z: Z(n, 3)", 3, "flow.z", "Z takes (n: int), but is called as Z(n, 3)"),
    Mistake(
        "unknown argument", "flow:\n  fake: G(z, label=real)", 3, "flow.fake", "unexpected keyword argument 'label'"
    ),
    Mistake(
        "unknown method",
        "players: {G: {minimize: {adversarial: adv.gen(D(fake))}}}",
        2,
        "players.G.minimize.adversarial",
        "adv has no method 'gen' (it has d, e, g)",
    ),
    Mistake(
        "unknown output",
        "players: {G: {minimize: {adversarial: adv.g(D(fake).logits)}}}",
        2,
        "players.G.minimize.adversarial",
        "D(fake) has no field 'logits'; its fields are logit, features",
    ),
    Mistake(
        "part for a tensor",
        "players: {G: {minimize: {adversarial: adv.g(D(G))}}, D: {}}\nshare: []",
        2,
        "players.G.minimize.adversarial",
        "a tensor is needed where the part G stands: call it, G(…)",
    ),
    # shapes
    Mistake(
        "shapes in a term",
        "players:\n  G:\n    minimize:\n      near: l1(fake, z)",
        5,
        "players.G.minimize.near",
        "while computing near = l1(fake, z) [fake 2x2, z 2x3] for player G: RuntimeError",
    ),
    Mistake(
        "shapes that two players need",
        "flow:\n  odd: l1(fake, z)\nplayers: {D: {minimize: {x: odd}}, G: {minimize: {x: odd}}}",
        3,
        "flow.odd",
        "while computing odd = l1(fake, z) [fake 2x2, z 2x3] for player D: RuntimeError",
    ),
    Mistake(
        "shapes in the flow",
        "parts: {G: {z_dim: 5}}",
        12,
        "flow.fake",
        "while computing fake = G(z) [z 2x3]",
    ),
    Mistake(
        "no number",
        "players: {G: {minimize: {near: D(fake)}}}",
        2,
        "players.G.minimize.near",
        "`D(fake)` has the shape n",
    ),
    # gradients
    Mistake(
        "nothing to train",
        "players:\n  G:\n    trains: [G, Z]",
        4,
        "players.G.trains",
        "trains Z (prior.normal), which has no parameters",
    ),
    Mistake(
        "cut off",
        "players:\n  G:\n    minimize: {adversarial: adv.g(D(stop(fake))), near: null}",
        3,
        "players.G.trains",
        "no gradient of player G's terms reaches G (a `stop(…)`",
    ),
    # facts
    Mistake("never called", "parts:\n  Q: discriminator.mlp", 3, "parts.Q", "Q is never called"),
    Mistake("metric of other data", "data: data.ring\nevaluate: {n: 5}", 9, "parts.fit", "the data is no circle"),
]


def write(mistake: Mistake, folder: Path) -> Path:
    folder = folder / mistake.name.replace(" ", "_")
    folder.mkdir()
    (folder / "base.yaml").write_text(textwrap.dedent(BASE).lstrip("\n"))
    path = folder / f"{mistake.name.replace(' ', '_')}.yaml"
    head = "" if mistake.text.startswith("extends:") else "extends: base\n"
    path.write_text(head + mistake.text)
    return path


def main(folder: Path) -> None:
    from ganzoo import config
    from ganzoo.errors import UserError
    from ganzoo.registry import plugins

    registry, answers = plugins.discover(), {}
    for mistake in STATIC:
        problems = []
        try:
            config.load(write(mistake, folder), mistake.overrides, registry)
        except UserError as error:
            problems = [
                (str(p), p.path, p.origin and p.origin.line, p.origin and p.origin.file) for p in error.problems
            ]
        answers[mistake.name] = problems
    json.dump({"answers": answers, "torch": "torch" in sys.modules}, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
