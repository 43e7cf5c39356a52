"""From the composed tree to a :class:`Spec`: settings typed, components found, expressions parsed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from ganzoo.config import habits, schema, typecheck
from ganzoo.config.expression import called
from ganzoo.config.players import PlayerReader
from ganzoo.config.spec import RESERVED, Part, Spec, Value
from ganzoo.config.tree import Node
from ganzoo.errors import HINTED, UserError, choices, did_you_mean, listed

PART_KINDS = (
    *("generator", "discriminator", "encoder", "extractor", "adversarial", "loss"),
    *("regularizer", "prior", "op", "augment", "metric"),
)
PUT_KINDS = ("regularizer", "augment")
PART_SETTINGS = {
    "like": str,
    "init": str,
    "match": str,
    "eval_bn": Literal["running", "batch", "standing"],
    "eval_dropout": bool,
    "shard": bool,
}


class Reader(PlayerReader):
    """Reads one tree; `problems` grows, and nothing is raised before all is read."""

    def spec(self, name: str, tree: Node) -> Spec:
        """The whole model. What cannot be read is left out, and noted among the problems."""
        habits.answer(tree, self.problems)
        for key, node in tree.value.items():
            if key not in schema.TOP and not node.reported:
                known = [k for k in schema.TOP if k != "locked"]
                self.problem(f"there is no setting '{key}'", node, key, choices(key, known) or listed(known))
        config = tree.plain()
        origins = {".".join(path): node.origin for path, node in tree.leaves()}
        train = self.train(tree)
        show = self.settings(schema.Show, tree, "show")
        evaluate = self.settings(schema.Evaluate, tree, "evaluate")
        self.requires(tree)
        stated = tree.get("data")
        data = self.component(stated, "data", ("data",)) if stated is not None and stated.value is not None else None
        measured = tree.get("evaluate", "against")
        is_given = measured is not None and measured.value is not None
        against = self.component(measured, "evaluate.against", ("data",)) if is_given else None
        named = self.entries(tree, "parts")
        parts = {key: self.part(key, node, named) for key, node in named.items()}
        named_values = self.entries(tree, "flow")
        flow = self.equations("flow", named_values)
        phases = self.phases(tree, train)
        spec = Spec(
            name=name,
            about=self.settings(schema.About, tree, "about"),
            data=data,
            parts={key: part for key, part in parts.items() if part is not None},
            flow=flow,
            phases=phases,
            share=self.names(tree, "share"),
            simultaneous=self.update(tree),
            show=show,
            shown=self.values(tree.get("show", "values"), "show.values"),
            score=self.value(Value, "score", tree.get("show", "score"), "show.score"),
            sample=self.word(tree, "sample", "fake"),
            log=self.equations("log", self.entries(tree, "log")),
            evaluate=evaluate,
            against=against,
            metrics=self.equations("evaluate.values", self.entries(tree, "evaluate", "values")),
            stop=self.stop(tree),
            train=train,
            plugins={key: node.plain() for key, node in self.entries(tree, "plugins").items()},
            config=config,
            origins=origins,
            declared=set(parts) | set(named_values),
            unreadable=any(n is not None and (n.reported or n.missing) for n in (tree.get("parts"), tree.get("flow"))),
        )
        self.implicit_ops(spec)
        self.followed(spec, tree)
        return spec

    def followed(self, spec: Spec, tree: Node) -> None:
        """``plugins:`` names plugins that are installed, and options that they have where they say which."""
        installed = {name for plugin in (*self.registry.plugins, *self.registry.disabled) for name in plugin[:2]}
        for key, options in spec.plugins.items():
            if key not in installed:
                near = choices(key, installed)
                spec.warnings.append(f"plugins.{key}: there is no plugin '{key}'" + (f" ({near})" if near else ""))
            known = self.registry.options(key)
            for option in set(options) - set(known) if isinstance(options, dict) and known is not None else ():
                node = tree.get("plugins", key, option)
                assert node is not None
                hint = choices(option, known or ())
                self.problem(f"there is no option '{option}'", node, f"plugins.{key}.{option}", hint)

    def train(self, tree: Node) -> schema.Train:
        """The training settings. A model with phases has no ``train.steps``; null takes out those of a base file."""
        node, steps, phases = tree.get("train"), tree.get("train", "steps"), self.entries(tree, "phases")
        if phases and steps is not None and steps.value is not None:
            names = listed(f"phases.{key}.steps" for key in phases)
            hint = f"set {names}, and `train: {{steps: null}}` if a base file gives it"
            self.problem("a model with phases has no train.steps", steps, "train.steps", hint)
        if node is None:
            return schema.Train()
        return typecheck.read(schema.Train, node, "train", self.problems, ("steps",) if phases else ())

    def stop(self, tree: Node) -> schema.Stop | None:
        """When to end early; None if the model does not say, or not by which value."""
        node = tree.get("stop")
        if node is None or node.value is None or node.missing:
            return None
        stop = typecheck.read(schema.Stop, node, "stop", self.problems)
        keys = set(node.value) if isinstance(node.value, dict) else {"patience"}
        if not keys & {"above", "below", "patience"}:
            hint = "write `above:`, `below:` or `patience:`"
            self.problem("does not say when to stop", node, "stop", did_you_mean("patience", keys) or hint)
        if "mode" in keys and "patience" not in keys:
            self.problem("says what is better for `patience:`, which is not given", node.value["mode"], "stop.mode")
        return stop if isinstance(stop.watch, str) else None

    def update(self, tree: Node) -> bool:
        """Whether all players take their gradients before any of them steps."""
        word = self.word(tree, "update", "alternating")
        if word not in ("alternating", "simultaneous"):
            node = tree.get("update")
            assert node is not None
            hint = did_you_mean(word, ("alternating", "simultaneous"))
            self.problem(f"'{word}' should be alternating or simultaneous", node, "update", hint)
        return word == "simultaneous"

    def part(self, name: str, node: Node, others: Mapping[str, Node]) -> Part | None:
        """One part, with its settings and what is put on it; None if it names no component."""
        path = f"parts.{name}"
        if name in RESERVED:
            self.problem(f"'{name}' stands for {RESERVED[name]}", node, path, "choose another name")
        near = did_you_mean(name, set(others) - {name})
        found = self.component(node, path, PART_KINDS, ("with", *PART_SETTINGS), near)
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
        for key, child in self.entries(node, "with", under=path).items():
            put = self.component(child, f"{path}.with.{key}", PUT_KINDS)
            if put is not None:
                part.puts[key] = put
        return part

    def requires(self, tree: Node) -> None:
        """``requires: [ganzoo-sr>=0.2]``: distributions that must be installed."""
        node = tree.get("requires")
        if node is None:
            return
        from packaging.requirements import InvalidRequirement, Requirement
        from packaging.utils import canonicalize_name

        installed = {canonicalize_name(p.dist): p.version for p in self.registry.plugins}
        for text in self.names(tree, "requires"):
            try:
                wanted = Requirement(text)
            except InvalidRequirement:
                self.problem(f"'{text}' is no requirement", node, "requires", "write one as in 'ganzoo-sr>=0.2'")
                continue
            version = installed.get(canonicalize_name(wanted.name))
            if version is None or not wanted.specifier.contains(version, prereleases=True):
                state = "which is not installed" if version is None else f"but {version} is installed"
                self.problem(f"needs the plugin {text}, {state}", node, "requires", f"pip install '{text}'")

    def implicit_ops(self, spec: Spec) -> None:
        """``stop(x)`` needs no entry under ``parts:``: an undeclared name that is called stands for ``op.<name>``.

        For other undeclared names that are called, ``spec.offers`` notes what could be meant.
        """
        ops = {key.removeprefix("op."): entries for key, entries in self.registry.entries.items() if key[:3] == "op."}
        unknown: set[str] = set()
        for value in spec.equations():
            for name in called(value.expr):
                if name in spec.declared or name in unknown or name in (spec.fields or ()):
                    continue
                if name in ops:
                    spec.declared.add(name)
                    try:
                        entry = self.registry.find(f"op.{name}")
                    except UserError as error:
                        for problem in error.problems:
                            hint = f"declare {name} under parts: and {problem.hint}"
                            self.problems.append(replace(problem, origin=value.origin, path=value.path, hint=hint))
                        continue
                    spec.parts[name] = Part(f"parts.{name}", entry, {}, value.origin, name=name, implicit=True)
                    continue
                unknown.add(name)
                if len(unknown) > HINTED:
                    continue
                near = did_you_mean(name, [n for n in spec.declared if n not in spec.flow])
                same = sorted({e.id for e in self.registry if e.name == name and e.kind in PART_KINDS})
                if same and not near:
                    spec.offers[name] = f"declare it: `{name}: {' or '.join(same)}` under parts:"
                elif not near:
                    spec.offers[name] = did_you_mean(name, ops)
