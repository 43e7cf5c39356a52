"""Reading who plays: phases, players, terms, and how each player trains."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ganzoo.config import layout, schema, typecheck
from ganzoo.config.nodes import NodeReader
from ganzoo.config.spec import Phase, Player, Term
from ganzoo.config.tree import Node, shown
from ganzoo.errors import choices, did_you_mean, similar


def _of_schedules(node: Node) -> bool:
    """Whether a node maps hyperparameters to schedules, rather than giving one schedule's arguments."""
    found = node.value.values() if isinstance(node.value, dict) and "use" not in node.value else ()
    return any(isinstance(child.value, dict) and "use" in child.value for child in found)


class PlayerReader(NodeReader):
    """Reads ``players:`` and ``phases:``."""

    def phases(self, tree: Node, train: schema.Train) -> dict[str, Phase]:
        """Every phase; a model without ``phases:`` has one, ``train``, in which all play."""
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
        return {key: self.phase(key, node, players, tree) for key, node in stated.items()}

    def phase(self, name: str, node: Node, players: Mapping[str, Node], tree: Node) -> Phase:
        """One phase: its steps, and the players that it names, or all, with the phase's keys merged over theirs."""
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
        """One player with its terms and how it trains; None if it minimises nothing."""
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
        if not player.trains:
            self.problem("this player trains nothing", node.value["trains"], f"{path}.trains", f"such as `[{name}]`")
        terms = self.entries(node, "minimize", under=path)
        if not terms:
            misspelt = [key for key in node.value if "minimize" in similar(key, ("minimize",)) and key != "minimize"]
            if not misspelt and (stated is None or not (stated.reported or stated.missing or stated.value)):
                near = did_you_mean(name, set(others) - {name}) if "minimize" not in node.value else ""
                hint = near or "write `minimize: {name: term}`"
                self.problem("this player minimises nothing", node, f"{path}.minimize", hint)
            return None
        for key, child in terms.items():
            term = self.term(key, child, f"{path}.minimize.{key}", name, terms)
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
            if key == "schedule" and common is not None and _of_schedules(own) and common.get("use") is not None:
                common = Node({"lr": common}, common.origin)
            return layout.merge(common, own, (key,)), f"{path}.{key}"  # a player's own settings go over the model's

        optimizer, where = own_or_common("optimizer")
        if optimizer is None or optimizer.value is None:
            known = sorted({e.id for e in self.registry if e.kind == "optimizer"}) or ["optimizer.NAME"]
            self.problem("no optimizer is given", optimizer or tree, where, f"write `optimizer: {' or '.join(known)}`")
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
            where = f"{path}.after.{key}"
            found = self.component(child, where, ("regularizer",), keep=("on",))
            if found is not None:
                player.after[key] = found
                player.on[key] = self.names(child, "on") or player.trains
                for part in set(player.on[key]) - set(player.trains):
                    message = f"{player.name} does not train '{part}', so nothing can follow its steps"
                    self.problem(message, child.get("on") or child, f"{where}.on", choices(part, player.trains))
        ema = node.get("ema")
        if ema is not None and ema.value is not None and not ema.missing:
            player.ema = typecheck.read(schema.Ema, ema, f"{path}.ema", self.problems)
            decay = ema.get("decay")
            if player.ema.decay is not None and decay is not None and not 0 <= player.ema.decay < 1:
                message = f"the decay is {shown(player.ema.decay)}, but should lie in [0, 1)"
                self.problem(message, decay, f"{path}.ema.decay")

    def term(self, name: str, node: Node, path: str, player: str, others: Mapping[str, Node]) -> Term | None:
        """One entry of ``minimize:``, an expression, or a mapping with ``of``; None if it is no good."""
        if not isinstance(node.value, dict):
            return self.value(Term, name, node, path, player=player)  # reports what is wrong with it
        settings = typecheck.read(schema.TermSettings, node, path, self.problems)
        if node.get("of") is None:
            hint = did_you_mean(name, set(others) - {name}) or "write `of: expression`"
            self.problem("does not say what is minimised", node, path, hint)
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
                    if not math.isfinite(term.weight):
                        raise TypeError(f"{shown(term.weight)} should be finite")
                except TypeError as error:
                    self.problem(f"{error}, or a schedule", weight, f"{path}.weight")
        return term
