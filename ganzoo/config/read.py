"""From the composed tree to a :class:`Spec`: settings typed, components found, expressions parsed."""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from ganzoo.config import layout, schema, typecheck
from ganzoo.config.spec import RESERVED, Component, Part, Phase, Player, Spec, Term, Value
from ganzoo.config.tree import Node, shown
from ganzoo.errors import Problem, UserError, choices, did_you_mean
from ganzoo.expression import HOLE, ExpressionError, called, parse
from ganzoo.registry import Registry

PART_KINDS = (
    *("generator", "discriminator", "encoder", "adversarial", "loss"),
    *("regularizer", "prior", "op", "augment", "metric"),
)
PUT_KINDS = ("regularizer", "augment")
PART_SETTINGS = {"like": str, "init": str, "eval_bn": Literal["running", "batch"], "eval_dropout": bool}


class Reader:
    """Reads one tree; `problems` grows, and nothing is raised before all is read."""

    def __init__(self, registry: Registry, problems: list[Problem]):
        self.registry = registry
        self.problems = problems

    def spec(self, name: str, tree: Node) -> Spec:
        for key, node in tree.value.items():
            if key not in schema.TOP:
                known = [k for k in schema.TOP if k != "locked"]
                self.problem(f"there is no setting '{key}'", node, key, choices(key, known) or ", ".join(known))
        config = tree.plain()
        origins = {".".join(path): node.origin for path, node in tree.leaves()}
        train = self.settings(schema.Train, tree, "train")
        show = self.settings(schema.Show, tree, "show")
        evaluate = self.settings(schema.Evaluate, tree, "evaluate")
        self.requires(tree)
        stated = tree.get("data")
        data = self.component(stated, "data", ("data",)) if stated is not None and stated.value is not None else None
        parts = {key: self.part(key, node) for key, node in self.entries(tree, "parts").items()}
        flow = {k: self.value(Value, k, node, f"flow.{k}") for k, node in self.entries(tree, "flow").items()}
        phases = self.phases(tree, train)
        spec = Spec(
            name=name,
            about=self.settings(schema.About, tree, "about"),
            data=data,
            parts={key: part for key, part in parts.items() if part is not None},
            flow={key: value for key, value in flow.items() if value is not None},
            phases=phases,
            share=self.names(tree, "share"),
            simultaneous=self.update(tree),
            show=show,
            shown=self.values(tree.get("show", "values"), "show.values"),
            score=self.value(Value, "score", tree.get("show", "score"), "show.score"),
            sample=self.word(tree, "sample", "fake"),
            evaluate=evaluate,
            metrics={
                key: value
                for key, node in self.entries(tree, "evaluate", "values").items()
                if (value := self.value(Value, key, node, f"evaluate.values.{key}")) is not None
            },
            train=train,
            plugins={key: node.plain() for key, node in self.entries(tree, "plugins").items()},
            config=config,
            origins=origins,
            declared=set(parts) | set(flow),
        )
        self.implicit_ops(spec)
        return spec

    def problem(self, message: str, node: Node, path: str, hint: str = "") -> None:
        self.problems.append(Problem(message, node.origin, path, hint))

    def settings(self, cls: type, tree: Node, key: str) -> Any:
        node = tree.get(key)
        return typecheck.read(cls, node, key, self.problems) if node is not None else cls()

    def entries(self, tree: Node, *path: str, under: str = "") -> dict[str, Node]:
        """A mapping whose keys the user named; `under` is the path of the tree itself."""
        node, where = tree.get(*path), ".".join([under, *path] if under else path)
        if node is None or node.value is None or node.missing:
            return {}
        if not isinstance(node.value, dict):
            node.reported = True
            hint = "write `name: …` lines, not a list" if isinstance(node.value, list) else "write `name: …` lines"
            self.problem(f"should be a mapping of names to {_SINGULAR.get(path[-1], path[-1])}", node, where, hint)
            return {}
        found = {}
        for key, child in node.value.items():
            if path[-1] == "plugins" or (key.isidentifier() and not keyword.iskeyword(key) and key != HOLE):
                found[key] = child
            else:
                hint = "letters, digits and _ make one; words such as `in` and `class` are taken"
                self.problem(f"'{key}' is not a name", child, f"{where}.{key}", hint)
        return found

    def word(self, tree: Node, key: str, default: str) -> str:
        node = tree.get(key)
        if node is None or node.missing:
            return default
        if not isinstance(node.value, str):
            self.problem(f"{shown(node.plain())} should be one name", node, key)
            return default
        return node.value

    def names(self, tree: Node, key: str) -> list[str]:
        node = tree.get(key)
        if node is None or node.value is None or node.missing:
            return []
        values = node.plain()
        if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
            self.problem(f"{shown(values)} should be a list of names", node, key)
            return []
        return values

    def update(self, tree: Node) -> bool:
        word = self.word(tree, "update", "alternating")
        if word not in ("alternating", "simultaneous"):
            node = tree.get("update")
            assert node is not None
            self.problem(
                f"'{word}' should be alternating or simultaneous",
                node,
                "update",
                choices(word, ("alternating", "simultaneous")),
            )
        return word == "simultaneous"

    def component(self, node: Node | None, path: str, kinds: Sequence[str], keep: Sequence[str] = ()) -> Any:
        """A component node as a :class:`Component`, or None if it is no good. `keep` are keys that are no arguments."""
        if node is None or node.missing:
            return None
        if not isinstance(node.value, dict):
            short = " or ".join(f"{kind}.NAME" for kind in kinds[:3])
            self.problem(f"{shown(node.plain())} should name a component", node, path, f"such as {short}")
            return None
        use = node.value.get("use")
        if use is None:
            hint = did_you_mean("use", node.value) or f"write `use: {kinds[0]}.NAME`"
            self.problem("does not say which component to use", node, path, hint)
            return None
        if use.missing:
            return None
        if not isinstance(use.value, str):
            self.problem(f"{shown(use.plain())} should be a component's name", use, f"{path}.use", f"{kinds[0]}.NAME")
            return None
        try:
            entry = self.registry.find(use.value, kinds)
        except UserError as error:
            self.problems += [replace(p, origin=use.origin, path=path) for p in error.problems]
            return None
        args = {k: child for k, child in node.value.items() if k != "use" and k not in keep}
        return Component(
            path,
            entry,
            {key: child.plain() for key, child in args.items()},
            use.origin,
            {key: child.origin for key, child in args.items()},
        )

    def part(self, name: str, node: Node) -> Part | None:
        path = f"parts.{name}"
        if name in RESERVED:
            self.problem(f"'{name}' stands for {RESERVED[name]}", node, path, "choose another name")
        found = self.component(node, path, PART_KINDS, ("with", *PART_SETTINGS))
        if found is None:
            return None
        part = Part(**vars(found), name=name)
        for key, annotation in PART_SETTINGS.items():
            child = node.value.get(key)
            if child is not None and child.value is not None and not child.missing:
                part.origins[key] = child.origin
                try:
                    setattr(part, key, typecheck.coerce(annotation, child.plain()))
                except TypeError as error:
                    self.problem(str(error), child, f"{path}.{key}")
        puts = node.value.get("with")
        if puts is not None:
            for key, child in self.entries(Node({"with": puts}, puts.origin), "with").items():
                put = self.component(child, f"{path}.with.{key}", PUT_KINDS)
                if put is not None:
                    part.puts[key] = put
        return part

    def value(self, cls: type, name: str, node: Node | None, path: str, **more: Any) -> Any:
        if node is None or node.missing:
            return None
        if not isinstance(node.value, str):
            hint = "write each as its own entry" if isinstance(node.value, list) else "such as `G(z)`"
            self.problem(f"{shown(node.plain())} should be an expression", node, path, hint)
            return None
        try:
            return cls(name, node.value, parse(node.value), node.origin, path, **more)
        except ExpressionError as error:
            self.problem(str(error), node, path, error.hint)
            return None

    def values(self, node: Node | None, path: str) -> list[Value]:
        if node is None or node.value is None or node.missing:
            return []
        if not isinstance(node.value, list):
            self.problem(f"{shown(node.plain())} should be a list of expressions", node, path)
            return []
        items = node.value
        found = (self.value(Value, str(item.plain()), item, path) for item in items)
        return [value for value in found if value is not None]

    def phases(self, tree: Node, train: schema.Train) -> dict[str, Phase]:
        players = self.entries(tree, "players")
        if not players:
            where = tree.get("players") or tree
            if not where.reported and not where.missing and not (where.value and where is not tree):
                self.problem("a model needs players: who trains what", where, "players", "write `players: {G: …}`")
            return {}
        stated = self.entries(tree, "phases")
        if not stated:
            read = [self.player(key, node, f"players.{key}", tree, players) for key, node in players.items()]
            whole = {player.name: player for player in read if player is not None}
            return {"train": Phase("train", train.steps, whole, tree.origin)}
        steps = tree.get("train", "steps")
        if steps is not None:
            names = ", ".join(f"phases.{key}.steps" for key in stated)
            self.problem("a model with phases has no train.steps", steps, "train.steps", f"set {names}")
        return {key: self.phase(key, node, players, tree) for key, node in stated.items()}

    def phase(self, name: str, node: Node, players: Mapping[str, Node], tree: Node) -> Phase:
        path = f"phases.{name}"
        settings = typecheck.read(schema.PhaseSettings, node, path, self.problems, ignore=("players",))
        stated = self.entries(tree, "phases", name, "players")
        found = {}
        for key, over in (stated or dict.fromkeys(players)).items():
            base, where = players.get(key), f"players.{key}"
            if over is not None:
                where = f"{path}.players.{key}"
                if base is None and over.get("minimize") is None:
                    self.problem(f"there is no player '{key}'", over, where, choices(key, players))
                    continue
                base = layout.merge(base, over, ("players", key))
                layout.prune(base, ("phases", name, "players", key), self.problems, inside=True)
            assert base is not None
            player = self.player(key, base, where, tree, players)
            if player is not None:
                found[key] = player
        return Phase(name, settings.steps if settings.steps is not None else 1, found, node.origin)

    def player(self, name: str, node: Node, path: str, tree: Node, others: Mapping[str, Node]) -> Player | None:
        components = ("minimize", "optimizer", "schedule", "after", "ema")
        settings = typecheck.read(schema.PlayerSettings, node, path, self.problems, ignore=components)
        if not isinstance(node.value, dict):
            if node.value is None:
                self.problem("this player minimises nothing", node, path, "write `minimize: {name: term}`")
            return None
        origins = {".".join(p): n.origin for p, n in node.leaves()} | {k: n.origin for k, n in node.value.items()}
        for key in ("repeat", "every", "batch"):
            number = getattr(settings, key)
            if number is not None and number < 1:
                self.problem(f"{number} should be at least 1", node.value[key], f"{path}.{key}")
                setattr(settings, key, None if key == "batch" else 1)
        if settings.clip is not None and not settings.clip > 0:
            self.problem(f"{shown(settings.clip)} should be above 0", node.value["clip"], f"{path}.clip")
        player = Player(
            name,
            settings.trains if settings.trains is not None else [name],
            {},
            node.origin,
            path,
            repeat=settings.repeat,
            every=settings.every,
            batch=settings.batch,
            clip=settings.clip,
            origins=origins,
        )
        stated = node.get("minimize")
        terms = self.entries(Node({"minimize": stated}, node.origin), "minimize", under=path) if stated else {}
        if not terms:
            if stated is None or not (stated.reported or stated.missing or stated.value):
                near = did_you_mean(name, set(others) - {name}) if "minimize" not in node.value else ""
                hint = near or "write `minimize: {name: term}`"
                self.problem("this player minimises nothing", node, f"{path}.minimize", hint)
            return None
        for key, child in terms.items():
            term = self.term(key, child, f"{path}.minimize.{key}", name)
            if term is not None:
                player.terms[key] = term
            else:
                player.broken = True
        self.training(player, node, path, tree)
        return player

    def training(self, player: Player, node: Node, path: str, tree: Node) -> None:
        """How the player trains: optimizer, schedules, constraints, moving average."""

        def own_or_common(key: str) -> tuple[Node | None, str]:
            own, common = node.get(key), tree.get(key)
            if own is None:
                return common, key
            return layout.merge(common, own, (key,)), f"{path}.{key}"  # a player's own settings go over the model's

        optimizer, where = own_or_common("optimizer")
        if optimizer is None or optimizer.value is None:
            known = choices("", [e.id for e in self.registry if e.kind == "optimizer"])
            self.problem("no optimizer is given", optimizer or tree, where, known or "write `optimizer: optimizer.NAME`")
        else:
            player.optimizer = self.component(optimizer, where, ("optimizer",), ("lr_scale",))
            scales = optimizer.get("lr_scale")
            if scales is not None and not scales.missing:
                try:
                    player.lr_scale = typecheck.coerce(dict[str, float], scales.plain())
                except TypeError as error:
                    self.problem(str(error), scales, f"{where}.lr_scale")
        schedule, where = own_or_common("schedule")
        if schedule is not None and schedule.value is not None:
            single = not isinstance(schedule.value, dict) or "use" in schedule.value
            for key, child in ({"lr": schedule} if single else schedule.value).items():
                found = self.component(child, where if single else f"{where}.{key}", ("schedule",))
                if found is not None:
                    player.schedules[key] = found
        for key, child in self.entries(node, "after", under=path).items():
            found = self.component(child, f"{path}.after.{key}", ("regularizer",))
            if found is not None:
                player.after[key] = found
        ema = node.get("ema")
        if ema is not None and ema.value is not None and not ema.missing:
            player.ema = typecheck.read(schema.Ema, ema, f"{path}.ema", self.problems)
            decay = ema.get("decay")
            if player.ema.decay is not None and decay is not None and not 0 <= player.ema.decay < 1:
                message = f"the decay is {shown(player.ema.decay)}, but should lie in [0, 1)"
                self.problem(message, decay, f"{path}.ema.decay")

    def requires(self, tree: Node) -> None:
        """``requires: [ganzoo-sr>=0.2]``: distributions that must be installed."""
        from packaging.requirements import InvalidRequirement, Requirement
        from packaging.utils import canonicalize_name

        installed = {canonicalize_name(p.dist): p.version for p in self.registry.plugins}
        node = tree.get("requires")
        for text in self.names(tree, "requires"):
            assert node is not None
            try:
                wanted = Requirement(text)
            except InvalidRequirement:
                self.problem(f"'{text}' is no requirement", node, "requires", "write one as in 'ganzoo-sr>=0.2'")
                continue
            version = installed.get(canonicalize_name(wanted.name))
            if version is None:
                self.problem(f"needs the plugin {text}, which is not installed", node, "requires", f"pip install '{text}'")
            elif not wanted.specifier.contains(version, prereleases=True):
                message = f"needs the plugin {text}, but {version} is installed"
                self.problem(message, node, "requires", f"pip install '{text}'")

    def term(self, name: str, node: Node, path: str, player: str) -> Term | None:
        if not isinstance(node.value, dict):
            return self.value(Term, name, node, path, player=player)  # reports what is wrong with it
        settings = typecheck.read(schema.TermSettings, node, path, self.problems)
        term = self.value(Term, name, node.get("of"), path, player=player)
        if settings.every < 1:
            self.problem(f"{settings.every} should be at least 1", node.value["every"], f"{path}.every")
        weight = node.get("weight")
        if term is not None:
            term.every = max(settings.every, 1)
            if weight is not None and isinstance(weight.value, dict):
                term.weight = self.component(weight, f"{path}.weight", ("schedule",)) or 1.0
            elif weight is not None and not weight.missing:
                try:
                    term.weight = typecheck.coerce(float, weight.plain())
                except TypeError as error:
                    self.problem(f"{error}, or a schedule", weight, f"{path}.weight")
        return term

    def implicit_ops(self, spec: Spec) -> None:
        """``stop(x)`` needs no entry under ``parts:``: an undeclared name that is called stands for ``op.<name>``.

        For other undeclared names that are called, ``spec.offers`` notes what could be meant.
        """
        ops = {key.removeprefix("op."): entries for key, entries in self.registry.entries.items() if key[:3] == "op."}
        for value in spec.equations():
            for name in called(value.expr):
                if name in spec.declared or name in (spec.fields or ()):
                    continue
                if name in ops:
                    spec.declared.add(name)
                    try:
                        entry = self.registry.find(f"op.{name}")
                    except UserError as error:
                        hint = f"declare it: `{name}: …` under parts:"
                        self.problems += [replace(p, origin=value.origin, path=value.path) for p in error.problems]
                        self.problems[-1] = replace(self.problems[-1], hint=self.problems[-1].hint or hint)
                        continue
                    spec.parts[name] = Part(f"parts.{name}", entry, {}, value.origin, name=name, implicit=True)
                    continue
                near = did_you_mean(name, [n for n in spec.declared if n not in spec.flow])
                same = sorted({e.id for e in self.registry if e.name == name and e.kind in PART_KINDS})
                if same and not near:
                    spec.offers[name] = f"declare it: `{name}: {' or '.join(same)}` under parts:"
                elif not near:
                    spec.offers[name] = did_you_mean(name, ops)


_SINGULAR = {
    "minimize": "expressions",
    "flow": "expressions",
    "values": "expressions",
    "with": "components",
    "parts": "components",
    "after": "components",
    "players": "what each trains and minimises",
    "phases": "steps and players",
    "plugins": "options",
}
