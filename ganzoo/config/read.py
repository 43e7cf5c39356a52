"""From the composed tree to a :class:`Spec`: settings typed, components found, expressions parsed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ganzoo.config import layout, schema, typecheck
from ganzoo.config.spec import RESERVED, Component, Part, Phase, Player, Spec, Term, Value
from ganzoo.config.tree import Node
from ganzoo.errors import Problem, UserError, choices
from ganzoo.expression import HOLE, ExpressionError, called, parse
from ganzoo.registry import Registry

PART_KINDS = (
    *("generator", "discriminator", "encoder", "adversarial", "loss"),
    *("regularizer", "prior", "op", "augment", "metric"),
)
PUT_KINDS = ("regularizer", "augment")


class Reader:
    """Reads one tree; `problems` grows, and nothing is raised before all is read."""

    def __init__(self, registry: Registry):
        self.registry = registry
        self.problems: list[Problem] = []

    def spec(self, name: str, tree: Node) -> Spec:
        for key, node in tree.value.items():
            if key not in schema.TOP:
                self.problem(f"there is no setting '{key}'", node, key, choices(key, schema.TOP))
        config = tree.plain()
        origins = {".".join(path): node.origin for path, node in tree.leaves()}
        train = self.settings(schema.Train, tree, "train")
        show = self.settings(schema.Show, tree, "show")
        evaluate = self.settings(schema.Evaluate, tree, "evaluate")
        data = self.component(tree.get("data"), "data", ("data",)) if tree.get("data") is not None else None
        parts = {key: self.part(key, node) for key, node in self.entries(tree, "parts").items()}
        flow = {k: self.value(Value, k, node, f"flow.{k}") for k, node in self.entries(tree, "flow").items()}
        phases = self.phases(tree, train)
        score_node = tree.get("show", "score")
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
            score=self.value(Value, "score", score_node, "show.score") if score_node is not None else None,
            sample=self.word(tree, "sample", "fake"),
            evaluate=evaluate,
            metrics={
                key: value
                for key, node in self.entries(tree, "evaluate", "values").items()
                if (value := self.value(Value, key, node, f"evaluate.values.{key}")) is not None
            },
            train=train,
            plugins=config.get("plugins") or {},
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

    def entries(self, tree: Node, *path: str) -> dict[str, Node]:
        """A mapping whose keys the user named."""
        node, where = tree.get(*path), ".".join(path)
        if node is None or node.value is None:
            return {}
        if not isinstance(node.value, dict):
            hint = "write `name: …` lines, not a list" if isinstance(node.value, list) else ""
            self.problem(f"should be a mapping from names to {path[-1]}", node, where, hint)
            return {}
        for key, child in node.value.items():
            if not key.isidentifier() or key == HOLE:
                hint = ""
                if child.value is None or "(" in key:
                    hint = "an unquoted comma inside { } splits a text in two: quote it, or use block style"
                self.problem(f"'{key}' is not a name", child, where, hint)
        return {key: child for key, child in node.value.items() if key.isidentifier()}

    def word(self, tree: Node, key: str, default: str) -> str:
        node = tree.get(key)
        if node is None:
            return default
        if not isinstance(node.value, str):
            self.problem(f"{node.plain()!r} should be one name", node, key)
            return default
        return node.value

    def names(self, tree: Node, key: str) -> list[str]:
        node = tree.get(key)
        values = node.plain() if node is not None else []
        if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
            assert node is not None
            self.problem("should be a list of names", node, key)
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
        if node is None:
            return None
        if not isinstance(node.value, dict):
            short = " or ".join(f"{kind}.NAME" for kind in kinds[:3])
            self.problem(f"{node.plain()!r} should name a component, such as {short}", node, path)
            return None
        use = node.value.get("use")
        if use is None:
            hint = choices("use", node.value) or "write `use: kind.name`"
            self.problem("does not say which component to use", node, path, hint)
            return None
        if not isinstance(use.value, str):
            self.problem(f"{use.plain()!r} should be a component's name", use, f"{path}.use")
            return None
        try:
            entry = self.registry.find(use.value, kinds)
        except UserError as error:
            self.problem(str(error), use, f"{path}.use")
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
        found = self.component(node, path, PART_KINDS, ("with", "like", "init", "eval_bn", "eval_dropout"))
        if found is None:
            return None
        part = Part(**vars(found), name=name)
        for key, annotation in (("like", str), ("init", str), ("eval_bn", _EVAL_BN), ("eval_dropout", bool)):
            child = node.value.get(key)
            if child is not None and child.value is not None:
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
        if node is None:
            return None
        if not isinstance(node.value, str):
            hint = ""
            if node.value is None:
                hint = "an unquoted comma inside { } splits a text in two: quote it, or use block style"
            self.problem(f"{node.plain()!r} should be an expression", node, path, hint)
            return None
        try:
            return cls(name, node.value, parse(node.value), node.origin, path, **more)
        except ExpressionError as error:
            self.problem(str(error), node, path, error.hint)
            return None

    def values(self, node: Node | None, path: str) -> list[Value]:
        items = node.value if node is not None and isinstance(node.value, list) else []
        found = (self.value(Value, str(item.plain()), item, path) for item in items)
        return [value for value in found if value is not None]

    def phases(self, tree: Node, train: schema.Train) -> dict[str, Phase]:
        players = self.entries(tree, "players")
        if not players:
            where = tree.get("players") or tree
            self.problem("a model needs players: who trains what", where, "players")
            return {}
        stated = self.entries(tree, "phases")
        if not stated:
            whole = {key: self.player(key, node, f"players.{key}", tree) for key, node in players.items()}
            return {"train": Phase("train", train.steps, whole, tree.origin)}
        if tree.get("train", "steps") is not None:
            node = tree.get("train", "steps")
            assert node is not None
            names = ", ".join(f"phases.{key}.steps" for key in stated)
            self.problem("a model with phases has no train.steps", node, "train.steps", f"set {names}")
        return {key: self.phase(key, node, players, tree) for key, node in stated.items()}

    def phase(self, name: str, node: Node, players: Mapping[str, Node], tree: Node) -> Phase:
        path = f"phases.{name}"
        settings = typecheck.read(schema.PhaseSettings, node, path, self.problems, ignore=("players",))
        named = self.entries(node, "players") if node.get("players") is not None else dict.fromkeys(players)
        found = {}
        for key, over in named.items():
            base = players.get(key)
            if base is None and over is not None and over.get("minimize") is None:
                self.problem(f"there is no player '{key}'", over, f"{path}.players.{key}", choices(key, players))
                continue
            merged = layout.merge(base, over, ("players", key)) if over is not None else base
            assert merged is not None
            where = f"{path}.players.{key}" if over is not None else f"players.{key}"
            found[key] = self.player(key, merged, where, tree)
        return Phase(name, settings.steps or 0, found, node.origin)

    def player(self, name: str, node: Node, path: str, tree: Node) -> Player:
        components = ("minimize", "optimizer", "schedule", "after", "ema")
        settings = typecheck.read(schema.PlayerSettings, node, path, self.problems, ignore=components)
        for key in ("repeat", "every", "batch"):
            number = getattr(settings, key)
            if number is not None and number < 1:
                self.problem(f"{number} should be at least 1", node.value[key], f"{path}.{key}")
                setattr(settings, key, 1)
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
        )
        terms = self.entries(node, "minimize") if isinstance(node.value, dict) else {}
        if not terms:
            self.problem("this player minimises nothing", node, f"{path}.minimize", "write `minimize: {name: term}`")
        for key, child in terms.items():
            term = self.term(key, child, f"{path}.minimize.{key}", name)
            if term is not None:
                player.terms[key] = term
        if isinstance(node.value, dict):
            self.training(player, node, path, tree)
        return player

    def training(self, player: Player, node: Node, path: str, tree: Node) -> None:
        """How the player trains: optimizer, schedules, constraints, moving average."""
        optimizer = node.get("optimizer") or tree.get("optimizer")
        where = f"{path}.optimizer" if node.get("optimizer") is not None else "optimizer"
        if optimizer is None:
            self.problem("no optimizer is given", node, f"{path}.optimizer", "write `optimizer: optimizer.adam`")
        else:
            player.optimizer = self.component(optimizer, where, ("optimizer",), ("lr_scale",))
            scales = optimizer.get("lr_scale")
            if scales is not None:
                try:
                    player.lr_scale = typecheck.coerce(dict[str, float], scales.plain())
                except TypeError as error:
                    self.problem(str(error), scales, f"{where}.lr_scale")
        schedule = node.get("schedule") if "schedule" in node.value else tree.get("schedule")
        where = f"{path}.schedule" if "schedule" in node.value else "schedule"
        if schedule is not None and schedule.value is not None:
            single = not isinstance(schedule.value, dict) or "use" in schedule.value
            for key, child in ({"lr": schedule} if single else schedule.value).items():
                found = self.component(child, where if single else f"{where}.{key}", ("schedule",))
                if found is not None:
                    player.schedules[key] = found
        for key, child in self.entries(node, "after").items():
            found = self.component(child, f"{path}.after.{key}", ("regularizer",))
            if found is not None:
                player.after[key] = found
        ema = node.get("ema")
        if ema is not None and ema.value is not None:
            player.ema = typecheck.read(schema.Ema, ema, f"{path}.ema", self.problems)
            if player.ema.decay is None or not 0 <= player.ema.decay < 1:
                self.problem("the decay should lie in [0, 1)", ema, f"{path}.ema.decay")

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
            elif weight is not None:
                try:
                    term.weight = typecheck.coerce(float, weight.plain())
                except TypeError as error:
                    self.problem(f"{error}, or a schedule", weight, f"{path}.weight")
        return term

    def implicit_ops(self, spec: Spec) -> None:
        """``stop(x)`` needs no entry under ``parts:``: an undeclared name that is called stands for ``op.<name>``."""
        for value in spec.equations():
            for name in called(value.expr):
                if name not in spec.declared and f"op.{name}" in self.registry.entries:
                    entry = self.registry.find(f"op.{name}")
                    spec.parts[name] = Part(f"parts.{name}", entry, {}, value.origin, name=name, implicit=True)
                    spec.declared.add(name)


_EVAL_BN = schema.Literal["running", "batch"]
